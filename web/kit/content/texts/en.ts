/** The words around the contents of messages. */
const en = {
  image: "Picture",
  video: "Video",
  voice: "Voice message",
  audio: "Sound",
  document: "Document",
  sticker: "Sticker",
  location: "Place",
  open_map: "Show on the map",
  contact: "Contact",
  deleted: "This message was deleted",
  edited: "edited",
  unsupported: "This message cannot be shown here",
  total: "Total",
  chosen: "You chose {title}",
  opens_new: "opens in a new window",
  waiting: "waiting to be sent",
  sent: "sent",
  delivered: "delivered",
  read: "read",
  failed: "not sent",
  not_loaded: "Cannot be loaded",
  react: "React",
};

export default en;
