package appointment

import (
	"bytes"
	"testing"
)

func TestPepperIsReplacedWithoutLosingCodes(t *testing.T) {
	old, fresh := []byte("a pepper of some length"), []byte("another pepper entirely")
	p, err := NewPepper(old)
	if err != nil {
		t.Fatal(err)
	}
	before := p.Lookup([32]byte{1})
	if err := p.Replace(fresh, old); err != nil {
		t.Fatal(err)
	}
	all := p.Lookups([32]byte{1})
	if len(all) != 2 || all[0] != p.Lookup([32]byte{1}) || all[0] == before || all[1] != before {
		t.Errorf("the lookups %v do not have the old one, %v, behind the new", all, before)
	}
	for name, keys := range map[string][][]byte{
		"none": nil, "a short one": {[]byte("short")}, "three": {old, fresh, append([]byte("x"), old...)}, "one twice": {old, old},
	} {
		if p.Replace(keys...) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if again := p.Lookups([32]byte{1}); len(again) != 2 || again[0] != all[0] {
		t.Error("a refused replacement changed something")
	}
}

// TestARegistryAloneTellsNoRightCode: without the pepper, or in another row's place, a room key
// does not open, so codes cannot be tried on it.
func TestARegistryAloneTellsNoRightCode(t *testing.T) {
	old, err := NewPepper([]byte("the older pepper of all"))
	if err != nil {
		t.Fatal(err)
	}
	wrapped := bytes.Repeat([]byte{7}, 60)
	hidden := old.Hide("x", Doctor, wrapped)
	if got, err := old.Reveal("x", Doctor, hidden); err != nil || !bytes.Equal(got, wrapped) {
		t.Errorf("got %x, %v", got, err)
	}
	if err := old.Replace([]byte("the newer pepper of all"), []byte("the older pepper of all")); err != nil {
		t.Fatal(err)
	}
	if got, err := old.Reveal("x", Doctor, hidden); err != nil || !bytes.Equal(got, wrapped) {
		t.Errorf("after a new pepper: got %x, %v", got, err)
	}
	other, err := NewPepper([]byte("the pepper of another one"))
	if err != nil {
		t.Fatal(err)
	}
	for name, reveal := range map[string]func() ([]byte, error){
		"another pepper":      func() ([]byte, error) { return other.Reveal("x", Doctor, hidden) },
		"another appointment": func() ([]byte, error) { return old.Reveal("y", Doctor, hidden) },
		"another seat":        func() ([]byte, error) { return old.Reveal("x", Patient, hidden) },
		"nothing":             func() ([]byte, error) { return old.Reveal("x", Doctor, nil) },
	} {
		if got, err := reveal(); err == nil {
			t.Errorf("%s: got %x", name, got)
		}
	}
	if bytes.Contains(hidden, wrapped) {
		t.Error("it is not hidden")
	}
}
