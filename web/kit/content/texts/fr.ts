import type { Words } from "../words.ts";

export default {
  image: "Image",
  video: "Vidéo",
  voice: "Message vocal",
  audio: "Son",
  document: "Document",
  sticker: "Autocollant",
  location: "Lieu",
  open_map: "Voir sur la carte",
  contact: "Contact",
  deleted: "Ce message a été supprimé",
  edited: "modifié",
  unsupported: "Ce message ne peut pas être affiché ici",
  total: "Total",
  chosen: "Vous avez choisi {title}",
  opens_new: "s’ouvre dans une nouvelle fenêtre",
  waiting: "en attente d’envoi",
  sent: "envoyé",
  delivered: "distribué",
  read: "lu",
  failed: "non envoyé",
} satisfies Words;
