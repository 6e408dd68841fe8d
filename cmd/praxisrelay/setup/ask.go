package setup

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strings"

	"praxisrelay/cmd/praxisrelay/terminal"
)

// questions asks somebody at a terminal.
type questions struct {
	ctx     context.Context
	out     io.Writer
	answers chan string // closed at the end of the input
}

func newQuestions(ctx context.Context, in io.Reader, out io.Writer) *questions {
	q := &questions{ctx, out, make(chan string)}
	go func() {
		defer close(q.answers)
		for lines := bufio.NewScanner(in); lines.Scan(); {
			q.answers <- strings.TrimSpace(lines.Text())
		}
	}()
	return q
}

// ask repeats a question until check, if any, accepts the answer. An empty answer stands for the
// suggestion.
func (q *questions) ask(question, suggestion string, check func(string) error) (string, error) {
	for {
		fmt.Fprint(q.out, question)
		if suggestion != "" {
			fmt.Fprintf(q.out, " [%s]", suggestion)
		}
		fmt.Fprint(q.out, ": ")
		select {
		case <-q.ctx.Done():
			return "", errors.New("given up: nothing was written")
		case answer, ok := <-q.answers:
			if !ok {
				return "", errors.New("no answer: nothing was written; --non-interactive takes " +
					"everything from flags")
			}
			if answer == "" {
				answer = suggestion
			}
			if check == nil {
				return answer, nil
			}
			err := check(answer)
			if err == nil {
				return answer, nil
			}
			fmt.Fprintf(q.out, "  %s\n", terminal.Printable(err.Error()))
		}
	}
}

// agree asks a yes-or-no question. An empty answer means yes.
func (q *questions) agree(question string) (bool, error) {
	answer, err := q.ask(question, "yes", func(answer string) error {
		switch strings.ToLower(answer) {
		case "yes", "y", "no", "n":
			return nil
		}
		return errors.New("yes or no?")
	})
	return strings.HasPrefix(strings.ToLower(answer), "y"), err
}

// askForMissing asks for what the flags left open.
func (s *setup) askForMissing(q *questions) (err error) {
	if s.name == "" {
		suggestion, _ := os.Hostname()
		if !strings.Contains(suggestion, ".") {
			suggestion = ""
		}
		if s.name, err = q.ask("DNS name under which clients reach the appliance", suggestion,
			checkDNSName); err != nil {
			return err
		}
	}
	if s.acme.Directory != "" || s.certificate != "" && s.key != "" {
		return nil
	}
	if s.certificate == "" {
		answer, err := q.ask("Certificate for that name: the file of the chain (PEM), or acme to "+
			"have one issued", "acme", func(answer string) error {
			if answer == "acme" {
				return nil
			}
			_, err := os.Stat(answer)
			return err
		})
		if err != nil {
			return err
		}
		if answer == "acme" {
			return s.askForACME(q)
		}
		s.certificate = answer
	}
	s.key, err = q.ask("File of its private key (PEM)", "", func(answer string) error {
		asked := setup{name: s.name, certificate: s.certificate, key: answer}
		return asked.checkCertificate()
	})
	return err
}

func (s *setup) askForACME(q *questions) (err error) {
	if s.acme.Directory, err = q.ask("Directory of the authority (with it you accept its terms)",
		letsEncrypt, nil); err != nil {
		return err
	}
	if s.acme.Email == "" {
		s.acme.Email, err = q.ask("E-mail address for its notices (may be empty)", "", nil)
	}
	return err
}

// checkDNSName checks a name as the configuration does.
func checkDNSName(name string) error {
	if _, err := netip.ParseAddr(name); err == nil {
		return nil
	}
	s := setup{file: "x", name: name, certificate: "x", key: "x"}
	_, _, err := s.configuration(netip.Addr{})
	return err
}
