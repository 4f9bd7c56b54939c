import type { Words } from "../words.ts";

export default {
  image: "Imagen",
  video: "Vídeo",
  voice: "Mensaje de voz",
  audio: "Audio",
  document: "Documento",
  sticker: "Sticker",
  location: "Lugar",
  open_map: "Ver en el mapa",
  contact: "Contacto",
  deleted: "Este mensaje se eliminó",
  edited: "editado",
  unsupported: "Este mensaje no se puede mostrar aquí",
  total: "Total",
  chosen: "Has elegido {title}",
  opens_new: "se abre en una ventana nueva",
  waiting: "pendiente de envío",
  sent: "enviado",
  delivered: "entregado",
  read: "leído",
  failed: "no enviado",
} satisfies Words;
