import type { Words } from "../words.ts";

export default {
  image: "Imagem",
  video: "Vídeo",
  voice: "Mensagem de voz",
  audio: "Áudio",
  document: "Documento",
  sticker: "Figurinha",
  location: "Lugar",
  open_map: "Ver no mapa",
  contact: "Contato",
  deleted: "Esta mensagem foi apagada",
  edited: "editada",
  unsupported: "Esta mensagem não pode ser mostrada aqui",
  total: "Total",
  chosen: "Você escolheu {title}",
  opens_new: "abre em uma nova janela",
  waiting: "aguardando envio",
  sent: "enviada",
  delivered: "entregue",
  read: "lida",
  failed: "não enviada",
} satisfies Words;
