/**
 * The words with which customers ask for a person, in the languages of the catalogue. A message asks if it is one of them and nothing
 * else: a longer sentence is the bot's to understand.
 */
const WORDS = new Set(
  [
    "agent, human, a human, operator, a person, real person, a real person, talk to a human, talk to a person, talk to an agent, speak to a human",
    "एजेंट, इंसान, ऑपरेटर, किसी इंसान से बात, इंसान से बात करनी है",
    "agente, humano, operador, operadora, una persona, persona real, hablar con una persona, hablar con un agente",
    "موظف, إنسان, شخص حقيقي, أريد موظفا, التحدث إلى موظف, التحدث مع شخص",
    "atendente, agente, humano, pessoa real, uma pessoa, falar com atendente, falar com uma pessoa, falar com um atendente",
    "agent, conseiller, conseillère, humain, opérateur, une personne, une vraie personne, parler à un humain, parler à une personne, parler à un conseiller",
    "agen, manusia, petugas, operator, orang asli, bicara dengan manusia, bicara dengan orang, bicara dengan petugas",
  ].flatMap((line) => line.split(", ").map(plain)),
);

/** Whether a message asks for a person. */
export function asksForPerson(text: string): boolean {
  return text.length <= 64 && WORDS.has(plain(text));
}

/** Lower case, without a command's slash, marks around it, accents and repeated spaces. */
function plain(text: string): string {
  return text
    .normalize("NFKD")
    .replaceAll(/[\u0300-\u036f]/g, "")
    .toLowerCase()
    .replaceAll(/^[^\p{L}\p{M}\p{N}]+|[^\p{L}\p{M}\p{N}]+$/gu, "")
    .replaceAll(/\s+/g, " ");
}
