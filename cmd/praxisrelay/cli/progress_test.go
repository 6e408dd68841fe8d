package cli

import (
	"strings"
	"testing"
)

func TestProgress(t *testing.T) {
	var b strings.Builder
	p := &progress{w: &b, of: 2}
	p.step()
	p.step()
	p.end()
	if want := "\r1 of 2 appointments\r2 of 2 appointments\n"; b.String() != want {
		t.Errorf("showed %q, want %q", b.String(), want)
	}
	if p := newProgress(&b, &b, 2); p.w != nil {
		t.Error("shows progress although nobody is watching")
	}
}
