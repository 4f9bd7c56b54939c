-- The hub's own texts in histories and to customers: those of src/core/texts/catalogue.ts, with their numbers filled in.
-- test/database/notices.test.ts compares them, and prints this function's text where they differ.

create or replace function hub.notice_texts() returns jsonb
language sql immutable parallel safe as $$
  select '{
    "en": {
      "linked": "You are connected. Go on where the code was shown.",
      "link_failed": "This code is no longer valid. Please let a new one be shown and scan that.",
      "merge_required": "This code joins you with the conversation of {identity} ({channels}). If that is you too, send the same code again within 10 minutes.",
      "phone_moved": "Your phone number now belongs to another conversation. Was that not you? Then please tell us.",
      "account_moved": "One of your accounts now belongs to another conversation. Was that not you? Then please tell us.",
      "language_set": "This conversation goes on in English.",
      "language_set_other": "The language of this conversation is now {language}.",
      "opted_out": "You will get no more messages from us here that you did not ask for. Write START to get them again.",
      "opted_in": "You get our messages here again. Write STOP to end them."
    },
    "hi": {
      "linked": "आप जुड़ गए हैं। जहाँ कोड दिखाया गया था, वहीं आगे बढ़ें।",
      "link_failed": "यह कोड अब मान्य नहीं है। कृपया नया कोड दिखवाएँ और उसे स्कैन करें।",
      "merge_required": "यह कोड आपको {identity} ({channels}) की बातचीत से जोड़ता है। अगर वह भी आप ही हैं, तो 10 मिनट के भीतर यही कोड फिर से भेजें।",
      "phone_moved": "आपका फ़ोन नंबर अब किसी दूसरी बातचीत का है। क्या यह आपने नहीं किया? तो कृपया हमें बताएँ।",
      "account_moved": "आपका एक खाता अब किसी दूसरी बातचीत का है। क्या यह आपने नहीं किया? तो कृपया हमें बताएँ।",
      "language_set": "यह बातचीत अब हिन्दी में आगे बढ़ेगी।",
      "language_set_other": "इस बातचीत की भाषा अब {language} है।",
      "opted_out": "अब हम आपको यहाँ अपनी ओर से संदेश नहीं भेजेंगे। फिर से पाने के लिए START लिखें।",
      "opted_in": "अब आपको यहाँ हमारे संदेश फिर से मिलेंगे। बंद करने के लिए STOP लिखें।"
    },
    "es": {
      "linked": "Ya está conectado. Continúe donde se mostró el código.",
      "link_failed": "Este código ya no es válido. Pida que se muestre uno nuevo y escanéelo.",
      "merge_required": "Este código le une a la conversación de {identity} ({channels}). Si también es usted, envíe el mismo código otra vez en 10 minutos.",
      "phone_moved": "Su número de teléfono pertenece ahora a otra conversación. ¿No fue usted? Entonces avísenos.",
      "account_moved": "Una de sus cuentas pertenece ahora a otra conversación. ¿No fue usted? Entonces avísenos.",
      "language_set": "Esta conversación continúa en español.",
      "language_set_other": "El idioma de esta conversación es ahora {language}.",
      "opted_out": "Ya no le enviaremos aquí mensajes que no haya pedido. Escriba START para volver a recibirlos.",
      "opted_in": "Vuelve a recibir aquí nuestros mensajes. Escriba STOP para dejar de recibirlos."
    },
    "ar": {
      "linked": "تم ربطك. تابع حيث ظهر الرمز.",
      "link_failed": "لم يعد هذا الرمز صالحًا. اطلب إظهار رمز جديد وامسحه.",
      "merge_required": "يربطك هذا الرمز بمحادثة {identity} ({channels}). إن كنت أنت أيضًا، فأرسل الرمز نفسه مرة أخرى خلال 10 دقائق.",
      "phone_moved": "أصبح رقم هاتفك تابعًا لمحادثة أخرى. ألم تفعل ذلك أنت؟ أخبرنا من فضلك.",
      "account_moved": "أصبح أحد حساباتك تابعًا لمحادثة أخرى. ألم تفعل ذلك أنت؟ أخبرنا من فضلك.",
      "language_set": "تستمر هذه المحادثة باللغة العربية.",
      "language_set_other": "لغة هذه المحادثة الآن هي {language}.",
      "opted_out": "لن نرسل إليك هنا رسائل لم تطلبها بعد الآن. اكتب START لتصلك من جديد.",
      "opted_in": "ستصلك رسائلنا هنا من جديد. اكتب STOP لإيقافها."
    },
    "pt": {
      "linked": "Você está conectado. Continue onde o código foi mostrado.",
      "link_failed": "Este código não é mais válido. Peça que um novo seja mostrado e leia esse.",
      "merge_required": "Este código une você à conversa de {identity} ({channels}). Se também é você, envie o mesmo código de novo em até 10 minutos.",
      "phone_moved": "O seu número de telefone pertence agora a outra conversa. Não foi você? Então avise-nos.",
      "account_moved": "Uma das suas contas pertence agora a outra conversa. Não foi você? Então avise-nos.",
      "language_set": "Esta conversa continua em português.",
      "language_set_other": "O idioma desta conversa agora é {language}.",
      "opted_out": "Não enviaremos mais aqui mensagens que você não pediu. Escreva START para voltar a recebê-las.",
      "opted_in": "Você volta a receber aqui as nossas mensagens. Escreva STOP para parar."
    },
    "fr": {
      "linked": "Vous êtes connecté. Continuez là où le code était affiché.",
      "link_failed": "Ce code n''est plus valable. Faites-en afficher un nouveau et scannez-le.",
      "merge_required": "Ce code vous relie à la conversation de {identity} ({channels}). Si c''est aussi vous, renvoyez le même code dans les 10 minutes.",
      "phone_moved": "Votre numéro de téléphone appartient maintenant à une autre conversation. Ce n''était pas vous ? Alors dites-le-nous.",
      "account_moved": "Un de vos comptes appartient maintenant à une autre conversation. Ce n''était pas vous ? Alors dites-le-nous.",
      "language_set": "Cette conversation continue en français.",
      "language_set_other": "La langue de cette conversation est maintenant {language}.",
      "opted_out": "Nous ne vous enverrons plus ici de messages que vous n''avez pas demandés. Écrivez START pour en recevoir à nouveau.",
      "opted_in": "Vous recevez à nouveau nos messages ici. Écrivez STOP pour les arrêter."
    },
    "id": {
      "linked": "Anda sudah terhubung. Lanjutkan di tempat kode ditampilkan.",
      "link_failed": "Kode ini tidak berlaku lagi. Minta kode baru ditampilkan lalu pindai.",
      "merge_required": "Kode ini menghubungkan Anda dengan percakapan {identity} ({channels}). Jika itu juga Anda, kirim kode yang sama sekali lagi dalam 10 menit.",
      "phone_moved": "Nomor telepon Anda sekarang milik percakapan lain. Bukan Anda? Beri tahu kami.",
      "account_moved": "Salah satu akun Anda sekarang milik percakapan lain. Bukan Anda? Beri tahu kami.",
      "language_set": "Percakapan ini berlanjut dalam bahasa Indonesia.",
      "language_set_other": "Bahasa percakapan ini sekarang {language}.",
      "opted_out": "Kami tidak lagi mengirim pesan yang tidak Anda minta di sini. Tulis START untuk menerimanya lagi.",
      "opted_in": "Anda menerima pesan kami lagi di sini. Tulis STOP untuk menghentikannya."
    }
  }'::jsonb
$$;

-- The text that says in which language a conversation goes on, in that language where the hub has texts in it.
create or replace function hub.language_notice(p_language text, c hub.context) returns text
language sql immutable parallel safe as $$
  select case
    when hub.notice_texts() ? split_part(p_language, '-', 1) then hub.notice('language_set', p_language, c)
    else replace(hub.notice('language_set_other', p_language, c), '{language}', p_language) end
$$;

-- A text in a language; in English if the hub has no texts in it. c.notices, the deployment's own texts, come first.
create or replace function hub.notice(p_name text, p_language text, c hub.context) returns text
language sql immutable parallel safe as $$
  select coalesce(
    c.notices ->> p_name,
    hub.notice_texts() -> split_part(p_language, '-', 1) ->> p_name,
    hub.notice_texts() -> 'en' ->> p_name)
$$;
