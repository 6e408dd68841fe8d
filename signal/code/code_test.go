package code

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// Vector is a row of ../testdata/vectors.json, which also checks the page.
type vector struct {
	Typed     string `json:"typed"`
	Letters   string `json:"letters"`
	Salt      string `json:"salt"` // hex, like all bytes here
	Rounds    int    `json:"rounds"`
	JoinToken string `json:"join_token"`
	SealKey   string `json:"seal_key"`
}

func TestVectors(t *testing.T) {
	text, err := os.ReadFile("../testdata/vectors.json")
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Codes   []vector `json:"codes"`
		Typed   []vector `json:"typed"`
		Invalid []struct {
			Typed  string `json:"typed"`
			Reason string `json:"reason"`
		} `json:"invalid"`
	}
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	for _, v := range file.Codes {
		c, err := Parse(v.Typed)
		if err != nil || c.letters != v.Letters {
			t.Errorf("Parse(%q) = %q, %v", v.Typed, c.letters, err)
			continue
		}
		salt, err := hex.DecodeString(v.Salt)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := c.Derive(salt, v.Rounds)
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(keys.JoinToken[:]); got != v.JoinToken {
			t.Errorf("%s: join token %s, want %s", v.Typed, got, v.JoinToken)
		}
		if got := hex.EncodeToString(keys.SealKey[:]); got != v.SealKey {
			t.Errorf("%s: seal key %s, want %s", v.Typed, got, v.SealKey)
		}
	}
	if len(file.Typed) < 30 {
		t.Errorf("only %d ways to type a code", len(file.Typed))
	}
	for _, v := range file.Typed {
		if c, err := Parse(v.Typed); err != nil || c.letters != v.Letters {
			t.Errorf("Parse(%q) = %q, %v", v.Typed, c.letters, err)
		}
	}
	reasons := map[string]string{
		"letters": "only the letters", "length": "has 12 letters, this has", "check": "wrong or two are swapped", "several": "more than one code",
	}
	for _, v := range file.Invalid {
		if c, err := Parse(v.Typed); err == nil || !strings.Contains(err.Error(), reasons[v.Reason]) {
			t.Errorf("Parse(%q) = %q, %v; want %s", v.Typed, c.letters, err, v.Reason)
		}
	}
}

func TestEveryTypingErrorOfOneLetterOrOneSwapIsCaught(t *testing.T) {
	for range 20 {
		letters := New().letters
		for i := range letters {
			for _, wrong := range alphabet {
				typed := letters[:i] + string(wrong) + letters[i+1:]
				if _, err := Parse(typed); (err == nil) != (typed == letters) {
					t.Errorf("%s for %s: %v", typed, letters, err)
				}
			}
			for j := range i {
				swapped := []byte(letters)
				swapped[i], swapped[j] = swapped[j], swapped[i]
				if _, err := Parse(string(swapped)); (err == nil) != (string(swapped) == letters) {
					t.Errorf("%s for %s: %v", swapped, letters, err)
				}
			}
		}
	}
}

func TestNewCodesParseAndAreSpread(t *testing.T) {
	counts := map[byte]int{}
	seen := map[string]bool{}
	for range 19_000 {
		c := New()
		if again, err := Parse(c.Format()); err != nil || again != c {
			t.Fatalf("Parse(%s): %v", c.Format(), err)
		}
		seen[c.letters] = true
		counts[c.letters[3]]++
	}
	if len(seen) != 19_000 {
		t.Errorf("%d different codes of 19000", len(seen))
	}
	for _, letter := range []byte(alphabet) {
		if n := counts[letter]; n < 800 || n > 1200 { // 1000 expected, sigma 31
			t.Errorf("the letter %c came %d times of 1000 expected", letter, n)
		}
	}
}

func TestCodesDoNotPrintThemselves(t *testing.T) {
	c := New()
	for _, printed := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s", c, c, c, c), fmt.Sprint(struct{ C Code }{c})} {
		if strings.Contains(printed, c.letters) || strings.Contains(printed, c.Format()) {
			t.Errorf("printed %s", printed)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("ktrw-bzmf-qhdf")
	f.Add(New().Format())
	f.Fuzz(func(t *testing.T, typed string) {
		if c, err := Parse(typed); err == nil {
			if again, err := Parse(c.Format()); err != nil || again != c || len(c.letters) != length {
				t.Fatalf("%q became %q: %v", typed, c.letters, err)
			}
		}
	})
}
