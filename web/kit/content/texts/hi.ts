import type { Words } from "../words.ts";

export default {
  image: "तस्वीर",
  video: "वीडियो",
  voice: "वॉइस संदेश",
  audio: "ऑडियो",
  document: "दस्तावेज़",
  sticker: "स्टिकर",
  location: "जगह",
  open_map: "नक्शे पर दिखाएँ",
  contact: "संपर्क",
  deleted: "यह संदेश हटा दिया गया",
  edited: "संपादित",
  unsupported: "यह संदेश यहाँ नहीं दिखाया जा सकता",
  total: "कुल",
  chosen: "आपने {title} चुना",
  opens_new: "नई विंडो में खुलता है",
  waiting: "भेजे जाने की प्रतीक्षा में",
  sent: "भेजा गया",
  delivered: "पहुँच गया",
  read: "पढ़ा गया",
  failed: "नहीं भेजा गया",
} satisfies Words;
