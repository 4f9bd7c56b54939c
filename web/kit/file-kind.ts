/** The kind of message that suits a file, by its MIME type. */
export function kindOfFile(type: string): "image" | "video" | "audio" | "document" {
  const [top] = type.split("/");
  return top === "image" || top === "video" || top === "audio" ? top : "document";
}
