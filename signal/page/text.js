// What the page says, in German and English.

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
    microphoneOn: 'Mikrofon aus',
    microphoneOff: 'Mikrofon ein',
    cameraOn: 'Kamera aus',
    cameraOff: 'Kamera ein',
    stretching: 'Der Code wird geprüft …',
    media: 'Bitte erlauben Sie Kamera und Mikrofon.',
    noMedia: 'Keine Kamera und kein Mikrofon: Man wird Sie weder sehen noch hören.',
    waiting: { doctor: 'Warten auf die Patientin oder den Patienten …', patient: 'Warten auf die Praxis …' },
    admission: 'Die Praxis sieht, dass Sie da sind, und lässt Sie ein. Bitte warten Sie.',
    knock: (name) => `${name || 'Die Patientin oder der Patient'} wartet.`,
    admit: 'Einlassen',
    tampered: 'Nachrichten wurden unterwegs verfälscht. Vertrauen Sie dieser Verbindung nicht: Legen Sie auf und verständigen Sie sich auf einem anderen Weg, etwa per Telefon.',
    connecting: 'Verbindung wird aufgebaut …',
    connected: (name) => `Verbunden mit ${name}`,
    partner: { doctor: 'der Praxis', patient: 'der Patientin oder dem Patienten' },
    reconnecting: 'Verbindung unterbrochen, sie wird erneut aufgebaut …',
    offline: 'Der Server ist nicht erreichbar, neuer Versuch …',
    maintenance: ({ until }) => `Der Server wird gewartet${until ? `, voraussichtlich bis ${when('de', until)} Uhr` : ''}. Bitte versuchen Sie es danach wieder, oder lassen Sie diese Seite offen: Dann geht es von selbst weiter.`,
    explanation: ({ de }) => de,
    left: 'Ihr Gegenüber hat aufgelegt.',
    goodbye: 'Sie haben aufgelegt. Mit demselben Code können Sie wieder teilnehmen.',
    testCode: (url) => `Mit diesem Code wird ein Netz geprüft; eine Sprechstunde öffnet er nicht. Auf einem Rechner in dem Netz: praxisrelay check ${url} --lang de, dort den Code eingeben. Das Programm hat, wer den Server betreibt. Zur Sprechstunde führt der Code aus Ihrer Einladung.`,
    unsupported: 'Dieser Browser kann keine Videosprechstunde. Bitte nehmen Sie einen aktuellen Chrome, Edge, Firefox oder Safari.',
    codeErrors: {
      letters: 'Im Code steht ein Zeichen, das nicht vorkommen kann. Erlaubt sind B C D F G H J K L M N P Q R S T W X Z.',
      length: 'Der Code hat 12 Buchstaben. Bitte prüfen Sie Ihre Eingabe.',
      check: 'Der Code enthält einen Tippfehler. Bitte vergleichen Sie ihn mit Ihrer Einladung.',
    },
    errors: {
      'unknown-code': 'Diesen Code gibt es nicht oder nicht mehr. Bitte fragen Sie in der Praxis nach.',
      'too-early': ({ opens }) => `Der Code stimmt, er gilt ab ${when('de', opens)} Uhr.`,
      over: 'Der Code stimmt, aber er ist abgelaufen. Bitte fragen Sie in der Praxis nach.',
      limited: ({ retry_after: seconds }) => `Zu viele falsche Codes aus Ihrem Netz. Bitte versuchen Sie es in ${seconds} Sekunden wieder.`,
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
    microphoneOn: 'Mute microphone',
    microphoneOff: 'Unmute microphone',
    cameraOn: 'Stop camera',
    cameraOff: 'Start camera',
    stretching: 'Checking the code …',
    media: 'Please allow camera and microphone.',
    noMedia: 'No camera and no microphone: you will be neither seen nor heard.',
    waiting: { doctor: 'Waiting for the patient …', patient: 'Waiting for the practice …' },
    admission: 'The practice sees that you are here and will let you in. Please wait.',
    knock: (name) => `${name || 'The patient'} is waiting.`,
    admit: 'Let in',
    tampered: 'Messages were tampered with on the way. Do not trust this connection: hang up, and reach the other side in another way, such as by phone.',
    connecting: 'Connecting …',
    connected: (name) => `Connected with ${name}`,
    partner: { doctor: 'the practice', patient: 'the patient' },
    reconnecting: 'Connection lost, connecting again …',
    offline: 'The server cannot be reached, trying again …',
    maintenance: ({ until }) => `The server is under maintenance${until ? `, probably until ${when('en', until)}` : ''}. Please try again then, or leave this page open: it will go on by itself.`,
    explanation: ({ en }) => en,
    left: 'The other side hung up.',
    goodbye: 'You hung up. You can join again with the same code.',
    testCode: (url) => `This code is for checking a network; it opens no consultation. On a computer in that network: praxisrelay check ${url}, and type the code there. Whoever runs the server has the program. The code from your invitation leads to the consultation.`,
    unsupported: 'This browser cannot do video consultations. Please use a current Chrome, Edge, Firefox or Safari.',
    codeErrors: {
      letters: 'The code has a character that no code has. Allowed are B C D F G H J K L M N P Q R S T W X Z.',
      length: 'A code has 12 letters. Please check what you typed.',
      check: 'The code has a typing error. Please compare it with your invitation.',
    },
    errors: {
      'unknown-code': 'There is no such code, or no longer. Please ask the practice.',
      'too-early': ({ opens }) => `The code is right. It is valid from ${when('en', opens)}.`,
      over: 'The code is right, but its time is over. Please ask the practice.',
      limited: ({ retry_after: seconds }) => `Too many wrong codes from your network. Please try again in ${seconds} seconds.`,
      replaced: 'The code was used on another device or in another window. The consultation goes on there.',
      revoked: 'The appointment was cancelled. Please ask the practice.',
    },
    fault: 'The server has a fault. Please try again later.',
  },
};

// when writes an instant in the reader's own time zone.
function when(language, instant) {
  return new Intl.DateTimeFormat(language, { dateStyle: 'full', timeStyle: 'short' }).format(new Date(instant));
}

// preferred is the language of the page's address, or else of the browser.
export function preferred() {
  const wish = new URLSearchParams(location.search).get('lang') ?? navigator.language;
  return wish.toLowerCase().startsWith('de') ? 'de' : 'en';
}

// text looks a text up, as 'codeErrors.check'; functions get the argument.
export function text(language, key, argument) {
  const found = key.split('.').reduce((at, name) => at?.[name], texts[language]);
  return typeof found === 'function' ? found(argument) : found;
}
