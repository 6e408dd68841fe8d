package relay

import (
	"bytes"
	"fmt"
	"testing"
)

func TestQueueDropsTheOldestMediaAndKeepsAnswers(t *testing.T) {
	q := newQueue(nil)
	answer := append([]byte{0x01, 0x03, 0, 0}, make([]byte, 16)...)
	q.push(answer)
	for i := range 2 * queueLength {
		q.push(fmt.Appendf([]byte{0x40, 0, 0, 5}, "%05d", i))
	}
	out := q.take(nil)
	if !bytes.HasPrefix(out, answer) {
		t.Error("the answer was dropped")
	}
	out = out[len(answer):]
	if len(out) != 12*(queueLength-1) {
		t.Fatalf("%d bytes wait", len(out))
	}
	for i := range queueLength - 1 {
		want := fmt.Sprintf("%05d\x00\x00\x00", queueLength+1+i) // padded to a multiple of four
		if got := string(out[12*i+4 : 12*i+12]); got != want {
			t.Fatalf("message %d is %q, want %q", i, got, want)
		}
	}
	if again := q.take(nil); len(again) != 0 {
		t.Errorf("%d bytes are left", len(again))
	}
	q.close()
	q.push(answer)
	if late := q.take(nil); len(late) != 0 {
		t.Errorf("a closed queue took %d bytes", len(late))
	}
}

func TestQueueOfAClientThatOnlyAsksIsBounded(t *testing.T) {
	q := newQueue(nil)
	for range 10 * queueLength {
		q.push([]byte{0x01, 0x03, 0, 0})
	}
	if n := len(q.take(nil)); n != 4*queueLength {
		t.Errorf("%d bytes wait", n)
	}
}
