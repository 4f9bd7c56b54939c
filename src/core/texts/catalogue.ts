/**
 * Every text that the hub itself says to customers, by name, as an ICU message. Numbers stand in plurals:
 * https://unicode-org.github.io/icu/userguide/format_parse/messages/
 */
export interface Texts {
  /** To a customer who has redeemed a link. */
  readonly linked: string;
  /** To a customer whose link is unknown, used or expired, or was shown to a person who is known to be another one. */
  readonly link_failed: string;
  /**
   * To a known customer who has scanned the code of a device with another customer's session. The two merge only after
   * a second scan. `{identity}` and `{channels}` are the other customer's masked identity and channels.
   */
  readonly merge_required: string;
  /** To a customer whose phone number was verified for another customer; sent where they can still be reached. */
  readonly phone_moved: string;
  /** The same for a messenger's account. */
  readonly account_moved: string;
  /** In the history, once a session goes on in this language. */
  readonly language_set: string;
  /** The same for a language that has no texts here; `{language}` is its tag. */
  readonly language_set_other: string;
  /** A message with a one-time code, for platforms without a format of their own for codes. */
  readonly code: string;
  /** How the echo bot greets a customer whose name is known. */
  readonly greeting: string;
  /** To a customer who wants no messages that the shop sends first. */
  readonly opted_out: string;
  /** To a customer who wants them again. */
  readonly opted_in: string;
  /** To a customer whom the bot cannot answer, or who asked for a person. */
  readonly handed_over: string;
  /** To a customer who has asked for a person by a word. */
  readonly person_asked: string;
  /** To a customer whose conversation waits for a person while nobody is there; `{time}` is when somebody is, in words. */
  readonly away_until: string;
  /** The same if that is not known. */
  readonly away: string;
  /** Behind an answer from the shop's documents; `{sources}` is their titles. */
  readonly sources: string;
  /** How the echo bot confirms a booking; `{time}` is the day and the time in words. */
  readonly table_booked: string;
}

const en: Texts = {
  linked: "You are connected. Go on where the code was shown.",
  link_failed: "This code is no longer valid. Please let a new one be shown and scan that.",
  merge_required:
    "This code joins you with the conversation of {identity} ({channels}). If that is you too, send the same code again within {minutes, plural, one {# minute} other {# minutes}}.",
  phone_moved:
    "Your phone number now belongs to another conversation. Was that not you? Then please tell us.",
  account_moved:
    "One of your accounts now belongs to another conversation. Was that not you? Then please tell us.",
  language_set: "This conversation goes on in English.",
  language_set_other: "The language of this conversation is now {language}.",
  code: "{code} is your code. It is valid for {minutes, plural, one {# minute} other {# minutes}}. Give it to nobody: we never ask for it.",
  greeting: "Hello {name}!",
  handed_over: "I cannot answer this here. I have passed it on to a person, who will write to you.",
  person_asked: "A person will answer you here soon.",
  away_until: "Nobody is here at the moment. We are back on {time} and will answer you then.",
  away: "Nobody is here at the moment. We will answer you as soon as we are back.",
  sources: "Sources: {sources}",
  table_booked: "A table for {guests, plural, one {# guest} other {# guests}} is booked: {time}.",
  opted_out:
    "You will get no more messages from us here that you did not ask for. Write START to get them again.",
  opted_in: "You get our messages here again. Write STOP to end them.",
};

const hi: Texts = {
  linked: "आप जुड़ गए हैं। जहाँ कोड दिखाया गया था, वहीं आगे बढ़ें।",
  link_failed: "यह कोड अब मान्य नहीं है। कृपया नया कोड दिखवाएँ और उसे स्कैन करें।",
  merge_required:
    "यह कोड आपको {identity} ({channels}) की बातचीत से जोड़ता है। अगर वह भी आप ही हैं, तो {minutes, plural, one {# मिनट} other {# मिनट}} के भीतर यही कोड फिर से भेजें।",
  phone_moved: "आपका फ़ोन नंबर अब किसी दूसरी बातचीत का है। क्या यह आपने नहीं किया? तो कृपया हमें बताएँ।",
  account_moved: "आपका एक खाता अब किसी दूसरी बातचीत का है। क्या यह आपने नहीं किया? तो कृपया हमें बताएँ।",
  language_set: "यह बातचीत अब हिन्दी में आगे बढ़ेगी।",
  language_set_other: "इस बातचीत की भाषा अब {language} है।",
  code: "{code} आपका कोड है। यह {minutes, plural, one {# मिनट} other {# मिनट}} तक मान्य है। इसे किसी को न दें: हम इसे कभी नहीं माँगते।",
  greeting: "नमस्ते {name}!",
  handed_over: "मैं इसका उत्तर यहाँ नहीं दे सकता। मैंने इसे एक व्यक्ति को सौंप दिया है, जो आपको लिखेंगे।",
  person_asked: "जल्द ही कोई व्यक्ति आपको यहाँ जवाब देगा।",
  away_until: "अभी यहाँ कोई नहीं है। हम {time} को वापस आएँगे और तब आपको जवाब देंगे।",
  away: "अभी यहाँ कोई नहीं है। वापस आते ही हम आपको जवाब देंगे।",
  sources: "स्रोत: {sources}",
  table_booked: "{guests, plural, one {# मेहमान} other {# मेहमानों}} के लिए मेज़ बुक हो गई है: {time}।",
  opted_out: "अब हम आपको यहाँ अपनी ओर से संदेश नहीं भेजेंगे। फिर से पाने के लिए START लिखें।",
  opted_in: "अब आपको यहाँ हमारे संदेश फिर से मिलेंगे। बंद करने के लिए STOP लिखें।",
};

const es: Texts = {
  linked: "Ya está conectado. Continúe donde se mostró el código.",
  link_failed: "Este código ya no es válido. Pida que se muestre uno nuevo y escanéelo.",
  merge_required:
    "Este código le une a la conversación de {identity} ({channels}). Si también es usted, envíe el mismo código otra vez en {minutes, plural, one {# minuto} many {# de minutos} other {# minutos}}.",
  phone_moved: "Su número de teléfono pertenece ahora a otra conversación. ¿No fue usted? Entonces avísenos.",
  account_moved: "Una de sus cuentas pertenece ahora a otra conversación. ¿No fue usted? Entonces avísenos.",
  language_set: "Esta conversación continúa en español.",
  language_set_other: "El idioma de esta conversación es ahora {language}.",
  code: "{code} es su código. Vale {minutes, plural, one {# minuto} many {# de minutos} other {# minutos}}. No se lo dé a nadie: nunca lo pedimos.",
  greeting: "¡Hola, {name}!",
  handed_over: "No puedo responder a esto aquí. Se lo he pasado a una persona, que le escribirá.",
  person_asked: "Una persona le responderá aquí en breve.",
  away_until: "En este momento no hay nadie. Volvemos el {time} y le responderemos entonces.",
  away: "En este momento no hay nadie. Le responderemos en cuanto volvamos.",
  sources: "Fuentes: {sources}",
  table_booked:
    "Hay una mesa reservada para {guests, plural, one {# persona} many {# de personas} other {# personas}}: {time}.",
  opted_out: "Ya no le enviaremos aquí mensajes que no haya pedido. Escriba START para volver a recibirlos.",
  opted_in: "Vuelve a recibir aquí nuestros mensajes. Escriba STOP para dejar de recibirlos.",
};

const ar: Texts = {
  linked: "تم ربطك. تابع حيث ظهر الرمز.",
  link_failed: "لم يعد هذا الرمز صالحًا. اطلب إظهار رمز جديد وامسحه.",
  merge_required:
    "يربطك هذا الرمز بمحادثة {identity} ({channels}). إن كنت أنت أيضًا، فأرسل الرمز نفسه مرة أخرى خلال {minutes, plural, zero {# دقيقة} one {دقيقة واحدة} two {دقيقتين} few {# دقائق} many {# دقيقة} other {# دقيقة}}.",
  phone_moved: "أصبح رقم هاتفك تابعًا لمحادثة أخرى. ألم تفعل ذلك أنت؟ أخبرنا من فضلك.",
  account_moved: "أصبح أحد حساباتك تابعًا لمحادثة أخرى. ألم تفعل ذلك أنت؟ أخبرنا من فضلك.",
  language_set: "تستمر هذه المحادثة باللغة العربية.",
  language_set_other: "لغة هذه المحادثة الآن هي {language}.",
  code: "{code} هو رمزك. يصلح لمدة {minutes, plural, zero {# دقيقة} one {دقيقة واحدة} two {دقيقتين} few {# دقائق} many {# دقيقة} other {# دقيقة}}. لا تعطه لأحد: نحن لا نطلبه أبدًا.",
  greeting: "مرحبًا {name}!",
  handed_over: "لا أستطيع الإجابة عن هذا هنا. لقد حوّلته إلى شخص سيكتب إليك.",
  person_asked: "سيجيبك شخص هنا قريبًا.",
  away_until: "لا يوجد أحد هنا الآن. سنعود يوم {time} وسنجيبك حينها.",
  away: "لا يوجد أحد هنا الآن. سنجيبك فور عودتنا.",
  sources: "المصادر: {sources}",
  table_booked:
    "تم حجز طاولة لـ {guests, plural, zero {# ضيف} one {ضيف واحد} two {ضيفين} few {# ضيوف} many {# ضيفًا} other {# ضيف}}: {time}.",
  opted_out: "لن نرسل إليك هنا رسائل لم تطلبها بعد الآن. اكتب START لتصلك من جديد.",
  opted_in: "ستصلك رسائلنا هنا من جديد. اكتب STOP لإيقافها.",
};

const pt: Texts = {
  linked: "Você está conectado. Continue onde o código foi mostrado.",
  link_failed: "Este código não é mais válido. Peça que um novo seja mostrado e leia esse.",
  merge_required:
    "Este código une você à conversa de {identity} ({channels}). Se também é você, envie o mesmo código de novo em até {minutes, plural, one {# minuto} many {# de minutos} other {# minutos}}.",
  phone_moved: "O seu número de telefone pertence agora a outra conversa. Não foi você? Então avise-nos.",
  account_moved: "Uma das suas contas pertence agora a outra conversa. Não foi você? Então avise-nos.",
  language_set: "Esta conversa continua em português.",
  language_set_other: "O idioma desta conversa agora é {language}.",
  code: "{code} é o seu código. Ele vale por {minutes, plural, one {# minuto} many {# de minutos} other {# minutos}}. Não o dê a ninguém: nós nunca o pedimos.",
  greeting: "Olá, {name}!",
  handed_over: "Não consigo responder a isto aqui. Passei a conversa a uma pessoa, que lhe escreverá.",
  person_asked: "Uma pessoa vai responder você aqui em breve.",
  away_until: "No momento não há ninguém aqui. Voltamos em {time} e então respondemos você.",
  away: "No momento não há ninguém aqui. Responderemos assim que voltarmos.",
  sources: "Fontes: {sources}",
  table_booked:
    "Uma mesa para {guests, plural, one {# pessoa} many {# de pessoas} other {# pessoas}} está reservada: {time}.",
  opted_out: "Não enviaremos mais aqui mensagens que você não pediu. Escreva START para voltar a recebê-las.",
  opted_in: "Você volta a receber aqui as nossas mensagens. Escreva STOP para parar.",
};

const fr: Texts = {
  linked: "Vous êtes connecté. Continuez là où le code était affiché.",
  link_failed: "Ce code n'est plus valable. Faites-en afficher un nouveau et scannez-le.",
  merge_required:
    "Ce code vous relie à la conversation de {identity} ({channels}). Si c'est aussi vous, renvoyez le même code dans {minutes, plural, one {la minute} many {les # de minutes} other {les # minutes}}.",
  phone_moved:
    "Votre numéro de téléphone appartient maintenant à une autre conversation. Ce n'était pas vous ? Alors dites-le-nous.",
  account_moved:
    "Un de vos comptes appartient maintenant à une autre conversation. Ce n'était pas vous ? Alors dites-le-nous.",
  language_set: "Cette conversation continue en français.",
  language_set_other: "La langue de cette conversation est maintenant {language}.",
  code: "{code} est votre code. Il est valable {minutes, plural, one {# minute} many {# de minutes} other {# minutes}}. Ne le donnez à personne : nous ne le demandons jamais.",
  greeting: "Bonjour {name} !",
  handed_over:
    "Je ne peux pas répondre à cela ici. J’ai transmis votre message à une personne, qui vous écrira.",
  person_asked: "Une personne vous répondra ici bientôt.",
  away_until: "Il n'y a personne pour le moment. Nous revenons {time} et vous répondrons alors.",
  away: "Il n'y a personne pour le moment. Nous vous répondrons dès notre retour.",
  sources: "Sources : {sources}",
  table_booked:
    "Une table pour {guests, plural, one {# personne} many {# de personnes} other {# personnes}} est réservée : {time}.",
  opted_out:
    "Nous ne vous enverrons plus ici de messages que vous n'avez pas demandés. Écrivez START pour en recevoir à nouveau.",
  opted_in: "Vous recevez à nouveau nos messages ici. Écrivez STOP pour les arrêter.",
};

const id: Texts = {
  linked: "Anda sudah terhubung. Lanjutkan di tempat kode ditampilkan.",
  link_failed: "Kode ini tidak berlaku lagi. Minta kode baru ditampilkan lalu pindai.",
  merge_required:
    "Kode ini menghubungkan Anda dengan percakapan {identity} ({channels}). Jika itu juga Anda, kirim kode yang sama sekali lagi dalam {minutes, plural, other {# menit}}.",
  phone_moved: "Nomor telepon Anda sekarang milik percakapan lain. Bukan Anda? Beri tahu kami.",
  account_moved: "Salah satu akun Anda sekarang milik percakapan lain. Bukan Anda? Beri tahu kami.",
  language_set: "Percakapan ini berlanjut dalam bahasa Indonesia.",
  language_set_other: "Bahasa percakapan ini sekarang {language}.",
  code: "{code} adalah kode Anda. Berlaku {minutes, plural, other {# menit}}. Jangan berikan kepada siapa pun: kami tidak pernah memintanya.",
  greeting: "Halo {name}!",
  handed_over:
    "Saya tidak dapat menjawab ini di sini. Saya sudah meneruskannya kepada seorang petugas yang akan menulis kepada Anda.",
  person_asked: "Seseorang akan segera membalas Anda di sini.",
  away_until: "Saat ini tidak ada orang. Kami kembali pada {time} dan akan membalas Anda saat itu.",
  away: "Saat ini tidak ada orang. Kami akan membalas Anda begitu kami kembali.",
  sources: "Sumber: {sources}",
  table_booked: "Meja untuk {guests, plural, other {# tamu}} sudah dipesan: {time}.",
  opted_out:
    "Kami tidak lagi mengirim pesan yang tidak Anda minta di sini. Tulis START untuk menerimanya lagi.",
  opted_in: "Anda menerima pesan kami lagi di sini. Tulis STOP untuk menghentikannya.",
};

/** The texts by language. To add a language, add its texts, its line here and its tag to `TEXT_LANGUAGES`. */
export const CATALOGUE = { en, hi, es, ar, pt, fr, id } as const;
