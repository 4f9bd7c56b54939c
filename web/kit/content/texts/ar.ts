import type { Words } from "../words.ts";

export default {
  image: "صورة",
  video: "فيديو",
  voice: "رسالة صوتية",
  audio: "مقطع صوتي",
  document: "مستند",
  sticker: "ملصق",
  location: "مكان",
  open_map: "عرض على الخريطة",
  contact: "جهة اتصال",
  deleted: "حُذفت هذه الرسالة",
  edited: "معدّلة",
  unsupported: "لا يمكن عرض هذه الرسالة هنا",
  total: "المجموع",
  chosen: "اخترت {title}",
  opens_new: "يُفتح في نافذة جديدة",
  waiting: "في انتظار الإرسال",
  sent: "أُرسلت",
  delivered: "وصلت",
  read: "قُرئت",
  failed: "لم تُرسل",
} satisfies Words;
