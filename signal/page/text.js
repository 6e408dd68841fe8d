// The page's texts, in German and English.

const texts = {
  de: {
    title: 'Videosprechstunde',
    code: 'Termincode',
    codeHint: '12 Buchstaben aus Ihrer Einladung. Groß- und Kleinschreibung sowie Bindestriche spielen keine Rolle.',
    name: 'Ihr Name',
    nameHint: 'Freiwillig. Er wird verschlüsselt übertragen; nur Ihr Gegenüber kann ihn lesen.',
    join: 'Teilnehmen',
    leave: 'Auflegen',
    firewall: 'Für die IT: was Firewalls durchlassen müssen',
    mirror: 'So sieht man Sie.',
    microphone: {
      stop: 'Mikrofon ausschalten',
      start: 'Mikrofon einschalten',
      off: 'Ihr Mikrofon ist aus.',
      ended: 'Ihr Mikrofon ist unterbrochen. Laden Sie die Seite neu, um es wieder einzuschalten.',
      none: 'Ohne Mikrofon: Man hört Sie nicht.',
    },
    camera: {
      stop: 'Kamera ausschalten',
      start: 'Kamera einschalten',
      off: 'Ihre Kamera ist aus.',
      ended: 'Ihre Kamera ist unterbrochen. Laden Sie die Seite neu, um sie wieder einzuschalten.',
      none: 'Ohne Kamera: Man sieht Sie nicht.',
    },
    stretching: 'Der Code wird geprüft …',
    media: 'Ihr Browser fragt nach Kamera und Mikrofon. Bitte wählen Sie „Zulassen“. Es wird nichts aufgezeichnet.',
    without: 'Ohne Kamera und Mikrofon teilnehmen',
    elsewhere: 'Diese Sprechstunde ist in einem anderen Fenster offen. Wenn Sie hier teilnehmen, endet sie dort.',
    waiting: { doctor: 'Warten auf die Patientin oder den Patienten …', patient: 'Warten auf die Praxis …' },
    admission: 'Die Praxis sieht, dass Sie da sind, und lässt Sie ein. Bitte warten Sie.',
    knock: (name) => `${person(name) || 'Die Patientin oder der Patient'} wartet.`,
    admit: 'Einlassen',
    tampered: 'Nachrichten wurden unterwegs verfälscht. Vertrauen Sie dieser Verbindung nicht: Legen Sie auf und verständigen Sie sich auf einem anderen Weg, etwa per Telefon.',
    connecting: 'Verbindung wird aufgebaut …',
    connected: ({ name, seat }) => `Verbunden mit ${person(name) || (seat === 'doctor' ? 'der Praxis' : 'der Patientin oder dem Patienten')}`,
    reconnecting: 'Verbindung unterbrochen, sie wird erneut aufgebaut …',
    offline: 'Der Server ist nicht erreichbar, neuer Versuch …',
    unreachable: 'Der Server ist nicht erreichbar. Bitte prüfen Sie Ihre Internetverbindung und versuchen Sie es noch einmal.',
    maintenance: ({ until }) => `Der Server wird gewartet${until ? `, voraussichtlich bis ${when('de', until)} Uhr` : ''}. Bitte versuchen Sie es danach wieder, oder lassen Sie diese Seite offen: Dann geht es von selbst weiter.`,
    explanation: ({ de }) => de,
    left: 'Ihr Gegenüber hat aufgelegt.',
    goodbye: (closes) => `Sie haben aufgelegt. Der Code gilt bis ${when('de', closes)} Uhr.`,
    goodbyeOver: 'Sie haben aufgelegt. Dieser Termin ist vorbei.',
    again: 'Wieder teilnehmen',
    done: 'Fertig',
    doneHint: '„Fertig“ löscht den Code und Ihren Namen aus diesem Fenster.',
    forgotten: 'Code und Name sind gelöscht. Sie können dieses Fenster schließen.',
    testCode: (url) => `Mit diesem Code wird ein Netz geprüft; eine Sprechstunde öffnet er nicht. Auf einem Rechner in dem Netz: praxisrelay check ${url} --lang de, dort den Code eingeben. Das Programm hat, wer den Server betreibt. Zur Sprechstunde führt der Code aus Ihrer Einladung.`,
    unsupported: 'Dieser Browser kann keine Videosprechstunde. Bitte nehmen Sie einen aktuellen Chrome, Edge, Firefox oder Safari.',
    codeErrors: {
      letters: 'Im Code steht ein Zeichen, das nicht vorkommen kann. Erlaubt sind B C D F G H J K L M N P Q R S T W X Z.',
      length: 'Der Code hat 12 Buchstaben. Bitte prüfen Sie Ihre Eingabe.',
      check: 'Der Code enthält einen Tippfehler. Bitte vergleichen Sie ihn mit Ihrer Einladung.',
      several: 'Das ist mehr als ein Code. Bitte geben Sie nur Ihren ein.',
    },
    errors: {
      'unknown-code': 'Diesen Code gibt es nicht oder nicht mehr. Bitte fragen Sie in der Praxis nach.',
      'too-early': ({ opens }) => `Der Code stimmt, er gilt ab ${when('de', opens)} Uhr.`,
      over: 'Der Code stimmt, aber er ist abgelaufen. Bitte fragen Sie in der Praxis nach.',
      limited: ({ retry_after: seconds }) => `Zu viele falsche Codes aus Ihrem Netz. Bitte versuchen Sie es in ${seconds} Sekunden wieder.`,
      'too-often': ({ retry_after: seconds }) => `Der Code stimmt, er wurde aber sehr oft hintereinander benutzt. Bitte versuchen Sie es in ${seconds} Sekunden wieder.`,
      replaced: 'Der Code wurde auf einem anderen Gerät oder in einem anderen Fenster benutzt. Dort geht es weiter.',
      revoked: 'Der Termin wurde abgesagt. Bitte fragen Sie in der Praxis nach.',
    },
    fault: 'Der Server hat einen Fehler. Bitte versuchen Sie es später wieder.',
  },
  en: {
    title: 'Video consultation',
    code: 'Appointment code',
    codeHint: '12 letters from your invitation. Upper or lower case and hyphens do not matter.',
    name: 'Your name',
    nameHint: 'Optional. It is sent encrypted; only the other side can read it.',
    join: 'Join',
    leave: 'Hang up',
    firewall: 'For IT: what firewalls must let through',
    mirror: 'This is how you are seen.',
    microphone: {
      stop: 'Turn microphone off',
      start: 'Turn microphone on',
      off: 'Your microphone is off.',
      ended: 'Your microphone was interrupted. Reload this page to turn it on again.',
      none: 'Without a microphone: you will not be heard.',
    },
    camera: {
      stop: 'Turn camera off',
      start: 'Turn camera on',
      off: 'Your camera is off.',
      ended: 'Your camera was interrupted. Reload this page to turn it on again.',
      none: 'Without a camera: you will not be seen.',
    },
    stretching: 'Checking the code …',
    media: "Your browser asks for camera and microphone. Please choose 'Allow'. Nothing is recorded.",
    without: 'Join without camera and microphone',
    elsewhere: 'This consultation is open in another window. If you join here, it ends there.',
    waiting: { doctor: 'Waiting for the patient …', patient: 'Waiting for the practice …' },
    admission: 'The practice sees that you are here and will let you in. Please wait.',
    knock: (name) => `${person(name) || 'The patient'} is waiting.`,
    admit: 'Let in',
    tampered: 'Messages were tampered with on the way. Do not trust this connection: hang up, and reach the other side in another way, such as by phone.',
    connecting: 'Connecting …',
    connected: ({ name, seat }) => `Connected with ${person(name) || (seat === 'doctor' ? 'the practice' : 'the patient')}`,
    reconnecting: 'Connection lost, connecting again …',
    offline: 'The server cannot be reached, trying again …',
    unreachable: 'The server cannot be reached. Please check your internet connection, and try again.',
    maintenance: ({ until }) => `The server is under maintenance${until ? `, probably until ${when('en', until)}` : ''}. Please try again then, or leave this page open: it will go on by itself.`,
    explanation: ({ en }) => en,
    left: 'The other side hung up.',
    goodbye: (closes) => `You hung up. The code works until ${when('en', closes)}.`,
    goodbyeOver: 'You hung up. This appointment is over.',
    again: 'Join again',
    done: 'Done',
    doneHint: "'Done' deletes the code and your name from this window.",
    forgotten: 'Code and name are deleted. You can close this window.',
    testCode: (url) => `This code is for checking a network; it opens no consultation. On a computer in that network: praxisrelay check ${url}, and type the code there. Whoever runs the server has the program. The code from your invitation leads to the consultation.`,
    unsupported: 'This browser cannot do video consultations. Please use a current Chrome, Edge, Firefox or Safari.',
    codeErrors: {
      letters: 'The code has a character that no code has. Allowed are B C D F G H J K L M N P Q R S T W X Z.',
      length: 'A code has 12 letters. Please check what you typed.',
      check: 'The code has a typing error. Please compare it with your invitation.',
      several: 'This is more than one code. Please enter only yours.',
    },
    errors: {
      'unknown-code': 'There is no such code, or no longer. Please ask the practice.',
      'too-early': ({ opens }) => `The code is right. It is valid from ${when('en', opens)}.`,
      over: 'The code is right, but its time is over. Please ask the practice.',
      limited: ({ retry_after: seconds }) => `Too many wrong codes from your network. Please try again in ${seconds} seconds.`,
      'too-often': ({ retry_after: seconds }) => `The code is right, but it was used very often within a short time. Please try again in ${seconds} seconds.`,
      replaced: 'The code was used on another device or in another window. The consultation goes on there.',
      revoked: 'The appointment was cancelled. Please ask the practice.',
    },
    fault: 'The server has a fault. Please try again later.',
  },
};

// person marks a name, which words.js isolates from the text around it.
const person = (name) => name && `\u2068${name}\u2069`;

// when formats an instant in the reader's time zone.
function when(language, instant) {
  return new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'short' }).format(new Date(instant));
}

// preferred returns the language of the page's address, or else the browser's.
export function preferred() {
  const wish = new URLSearchParams(location.search).get('lang') ?? navigator.language;
  return wish.toLowerCase().startsWith('de') ? 'de' : 'en';
}

// text looks up a text by a key such as 'codeErrors.check'. A text that is a function gets the
// argument.
export function text(language, key, argument) {
  const found = key.split('.').reduce((at, name) => at?.[name], texts[language]);
  return typeof found === 'function' ? found(argument) : found;
}
