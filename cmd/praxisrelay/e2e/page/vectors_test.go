package page

import (
	"fmt"
	"os"
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
)

// TestPageAgreesWithTheVectors runs the page's own modules, in a browser, against the vectors that
// the Go code is tested with. They also detect a tampering server, and name what it did.
func TestPageAgreesWithTheVectors(t *testing.T) {
	t.Parallel()
	vectors, err := os.ReadFile(apptest.InTree("signal/testdata/vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	info, _ := apptest.StartDemo(t)
	b := apptest.NewBrowser(t, "page")
	b.Load(t, info.URL)
	var complaints []string
	b.Eval(t, fmt.Sprintf(`(async (vectors) => {
		const code = await import('/code.js'), seal = await import('/seal.js');
		const hex = (bytes) => [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
		const unhex = (text) => Uint8Array.from(text.match(/../g) ?? [], (b) => parseInt(b, 16));
		const complaints = [];
		const same = (what, got, want) => { if (got !== want) complaints.push(what + ': ' + got + ', want ' + want); };
		const fails = async (what, work) => { try { await work(); complaints.push(what + ' was accepted'); } catch {} };
		for (const v of vectors.codes) {
			const letters = code.parse(v.typed);
			same('letters', letters, v.letters);
			const keys = await code.derive(letters, unhex(v.salt), v.rounds);
			same('join token', hex(keys.joinToken), v.join_token);
			same('seal key', hex(keys.sealKey), v.seal_key);
		}
		const read = (typed) => { try { return code.parse(typed); } catch (error) { return error.reason; } };
		for (const v of vectors.typed) same('code ' + JSON.stringify(v.typed), read(v.typed), v.letters);
		for (const v of vectors.invalid) same('code ' + JSON.stringify(v.typed), read(v.typed), v.reason);
		const importKey = (bytes) => crypto.subtle.importKey('raw', bytes, 'AES-GCM', false, ['encrypt', 'decrypt']);
		const plainOf = async (key, place, sealed) => new TextDecoder().decode(await seal.openMessage(key, place, sealed));
		const placeOf = (m) => ({ appointment: m.appointment, from: m.from, to: m.to, fromEpoch: m.from_epoch, toEpoch: m.to_epoch, seq: m.seq });
		for (const m of vectors.messages) {
			const key = await importKey(unhex(m.room_key)), place = placeOf(m), sealed = unhex(m.sealed);
			same('message', await plainOf(key, place, sealed), m.plain);
			same('sealed again', await plainOf(key, place, await seal.sealMessage(key, place, new TextEncoder().encode(m.plain))), m.plain);
			const moved = { appointment: 'b', from: m.to, to: m.from, fromEpoch: m.to_epoch, toEpoch: m.from_epoch, seq: m.seq - 1 };
			for (const [field, value] of Object.entries(moved)) {
				await fails('a message with another ' + field, () => seal.openMessage(key, { ...place, [field]: value }, sealed));
			}
			for (let i = 0; i < sealed.length; i += 7) {
				const bad = sealed.slice();
				bad[i] ^= 1;
				await fails('a message with byte ' + i + ' changed', () => seal.openMessage(key, place, bad));
			}
		}
		for (const r of vectors.rooms) {
			const key = await seal.unwrap(unhex(r.seal_key), r.appointment, r.seat, unhex(r.wrapped));
			const m = vectors.messages.find((m) => m.room_key === r.room_key);
			same('the unwrapped key opens', await plainOf(key, placeOf(m), unhex(m.sealed)), m.plain);
			await fails("another seat's room key", () => seal.unwrap(unhex(r.seal_key), r.appointment, 'guest', unhex(r.wrapped)));
		}
		for (const c of vectors.tampering) {
			const receiver = new seal.Receiver(await importKey(unhex(c.room_key)), c.appointment, c.to, c.to_epoch);
			for (const [i, m] of c.messages.entries()) {
				const { plain, finding } = await receiver.open(m.from, m.from_epoch, m.seq, unhex(m.sealed));
				same(c.name + ', finding ' + i, finding, m.finding);
				same(c.name + ', message ' + i, plain && new TextDecoder().decode(plain), m.plain);
			}
		}
		same('cases of tampering', vectors.tampering.length > 10, true);
		return complaints;
	})(%s)`, vectors), &complaints)
	for _, complaint := range complaints {
		t.Error(complaint)
	}
}
