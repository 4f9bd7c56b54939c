import type { Words } from "../words.ts";

export default {
  image: "Gambar",
  video: "Video",
  voice: "Pesan suara",
  audio: "Suara",
  document: "Dokumen",
  sticker: "Stiker",
  location: "Tempat",
  open_map: "Lihat di peta",
  contact: "Kontak",
  deleted: "Pesan ini telah dihapus",
  edited: "diedit",
  unsupported: "Pesan ini tidak dapat ditampilkan di sini",
  total: "Total",
  chosen: "Anda memilih {title}",
  opens_new: "terbuka di jendela baru",
  waiting: "menunggu dikirim",
  sent: "terkirim",
  delivered: "sampai",
  read: "dibaca",
  failed: "tidak terkirim",
} satisfies Words;
