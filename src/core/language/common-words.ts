/**
 * Words that are frequent in chats with shops, by language: function words, greetings and what customers ask for. In lower
 * case, without accents. `hi` is Hindi in Latin letters, which no detection library knows. A word may be in several lists.
 */
export const COMMON_WORDS: Readonly<Record<string, string>> = {
  en:
    "the a an is are am was were i'm you your my me we it this that what when where how much many " +
    "do does did can could would want need have has i please thanks thank hello there yes not no " +
    "and for with of in on to at be will get order tomorrow tonight today open still available " +
    "help card pay by which should take make give tell know like any some if so but because about " +
    "from all just now then see back call our they their he she who why been being going someone " +
    "anyone let send change cancel book good morning evening night",
  es:
    "el la los las un una unos es son soy esta estan estoy que cuando donde como cuanto cuesta " +
    "puedo quiero quisiera necesito tengo tiene tienen por favor gracias hola buenas buenos dias " +
    "tardes noches si no y para con de del en mi su me gustaria hay mas muy pero este esto manana " +
    "pedido mesa dos hacer ayuda ustedes tarjeta todo llegado abren horas funciona reservar " +
    "reserva alguien algo cual talla siguen sigue somos estamos vamos nos les le se sin sobre " +
    "hasta desde ya aun tambien cuanta cuantos cuantas tarda entrega quisieramos puede pueden " +
    "podria hacen tarjetas buen noche ahora despues antes cambiar cancelar envio perfecto nada " +
    "porque a poco llegar tarde genial barato",
  pt:
    "o a os as um uma e sao sou esta estou que quando onde como quanto custa posso quero queria " +
    "preciso tenho tem por favor obrigado obrigada ola oi bom boa dia tarde noite sim nao para " +
    "com de do da em no na meu minha seu gostaria ha mais muito mas este isso amanha pedido mesa " +
    "dois fazer ajuda voce voces cartao tudo bem chegou ainda ficam abrem horas consigo reservar " +
    "reserva alguem algo qual quais somos estamos vamos nos lhe se sem sobre ate desde ja tambem " +
    "quanta quantos quantas demora entrega pode podem poderia fazem agora depois antes mudar " +
    "cancelar perfeito nada porque pessoas horario logo sozinho ligar pessoa foi",
  fr:
    "le la les un une des est sont suis etes que quand ou comment combien coute peux puis pouvez " +
    "veux voudrais besoin ai avez a plait merci bonjour bonsoir salut oui non et pour avec de du " +
    "au en dans mon ma mes votre vous nous je j'ai c'est n'est pas ne plus tres mais ce cette ca " +
    "demain commande table deux faire aide carte tous heure marche reservation beaucoup par quel " +
    "quelle quels quelles quelqu'un sommes on il elle ils elles leur y si sans sur jusqu deja " +
    "encore aussi peut prend prendre temps souhaite changer annuler livraison maintenant apres " +
    "avant parfait bientot rien parce l'heure fait vont allez etes-vous",
  de:
    "der die das ein eine einen ist sind bin was wann wo wie viel kostet kann mochte ich will " +
    "brauche habe haben hat bitte danke hallo guten tag morgen abend ja nicht kein nein und fur " +
    "mit von im in zu mein meine ihr sie wir es noch sehr aber dieser heute bestellung tisch zwei " +
    "hilfe denn gibt auf welche seid jetzt vor nach uber unter um oder wenn weil dass schon auch " +
    "nur mal gern gerne konnen konnten ware lieferung personen ab bis uns mich mir",
  it:
    "il lo la gli un una e sono che quando dove come quanto costa posso vorrei voglio ho ha avete " +
    "per favore grazie ciao buongiorno buonasera si non con di del della in mio mia su c'e piu " +
    "molto ma questo questa domani ordine tavolo due fare aiuto carta ancora arrivato quale siamo " +
    "siete vorremmo cambiare annullare l'orario quanti alle fino anche prima dopo adesso perfetto " +
    "niente perche consegna possiamo avrei",
  nl:
    "de het een is zijn ben wat wanneer waar hoe veel kost kan ik wil graag heb hebben heeft " +
    "bedankt dank hallo goedemorgen ja niet geen nee en voor met van in op te mijn jullie wij we " +
    "nog heel maar deze dit morgen bestelling tafel twee hulp welke ons mij nu na over onder of " +
    "als omdat dat al ook alleen kunnen bezorging personen tot vandaag even",
  id:
    "saya aku kamu anda kak ini itu ada apa berapa kapan mana di dimana bagaimana gimana bisa mau " +
    "ingin butuh pesan pesanan harga harganya terima kasih makasih selamat pagi siang sore malam " +
    "ya tidak nggak gak belum sudah dan untuk dengan dari ke yang tolong bantuan orang besok meja " +
    "buka jam bayar pakai sampai boleh juga banget dibuka warna alamat alamatnya kami kita kalian " +
    "dia mereka lama masih oke sekarang nanti kalau tapi atau karena sangat lagi sedang akan " +
    "harus pengiriman kirim ganti ukuran telepon diskon uang baru lebih kurang ketemu mohon maaf " +
    "gan sis bang mas mbak",
  hi:
    "mujhe mera meri mere main mai hum aap apka apko aapka aapko tum kya kab kahan kaha kaise " +
    "kitna kitne kitni hai hain ho hoga hota hu hun tha nahi nahin nai haan han ji chahiye karna " +
    "karni karne karo kar sakta sakte sakti ka ki ke ko se ye yeh woh aur bhi abhi tak kal aaj " +
    "namaste dhanyavaad dhanyavad shukriya bhai logon liye raha rahe rahi gaya gayi aaya kholte " +
    "khulte batao bataiye mein lena dena konsa kaunsa koi kuch sab lagega milega milte milna hue " +
    "hua jata jati jate theek thik accha acha badalna wala wali kyu kyun kyunki lekin magar phir " +
    "fir yahan wahan unka uska iska inka dijiye kijiye chalega",
};

/** Greetings and thanks that no other language has borrowed: one of them is enough. */
export const GREETINGS: Readonly<Record<string, string>> = {
  hola: "es",
  gracias: "es",
  bonjour: "fr",
  bonsoir: "fr",
  obrigado: "pt",
  obrigada: "pt",
  namaste: "hi",
  dhanyavaad: "hi",
  dhanyavad: "hi",
  selamat: "id",
  buongiorno: "it",
  danke: "de",
};
