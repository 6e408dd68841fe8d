package hostile

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/pion/stun/v3"

	"praxisrelay/relay/check"
)

// Group is a kind of attack.
type Group string

// The groups.
const (
	Peers    Group = "peers"    // forbidden addresses, other appointments, data without a permission
	Lengths  Group = "lengths"  // lengths that lie
	Requests Group = "requests" // without a right credential, or for what is not served
	Web      Group = "web"      // the admin API without a token
)

// Groups are all of them.
var Groups = []Group{Peers, Lengths, Requests, Web}

// Outcome is what became of a try.
type Outcome string

// The outcomes.
const (
	Refused  Outcome = "refused"
	Accepted Outcome = "accepted"
	Untried  Outcome = "untried" // it could not be told: never a proof
)

// Try is one thing that was tried.
type Try struct {
	Group Group      `json:"group"`
	Way   *check.Way `json:"way,omitempty"`
	Name  string     `json:"attack"`
	// Answer is what came back or, where it could not be tried, why.
	Answer  string  `json:"answer"`
	Outcome Outcome `json:"-"`
}

// Count is what became of a group.
type Count struct {
	Group    Group `json:"group"`
	Tried    int   `json:"tried"` // refused or accepted
	Refused  int   `json:"refused"`
	Accepted int   `json:"accepted"`
	Untried  int   `json:"untried"`
}

// Report is what became of an attack.
type Report struct {
	Counts   []Count
	Accepted []Try
	Untried  []Try
}

func (a *attack) report() (r Report) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, group := range Groups {
		count := Count{Group: group}
		for _, try := range a.tries {
			if try.Group != group {
				continue
			}
			switch try.Outcome {
			case Refused:
				count.Refused++
			case Accepted:
				count.Accepted++
				r.Accepted = append(r.Accepted, try)
			default:
				count.Untried++
				r.Untried = append(r.Untried, try)
			}
		}
		count.Tried = count.Refused + count.Accepted
		r.Counts = append(r.Counts, count)
	}
	for _, list := range [][]Try{r.Accepted, r.Untried} { // ways run side by side
		slices.SortStableFunc(list, func(a, b Try) int {
			if order := slices.Index(Groups, a.Group) - slices.Index(Groups, b.Group); order != 0 {
				return order
			}
			return strings.Compare(a.where(), b.where())
		})
	}
	return r
}

func (t Try) where() string {
	if t.Way == nil {
		return ""
	}
	return t.Way.String()
}

func (a *attack) note(group Group, w *check.Way, name string, outcome Outcome, answer string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.tries = append(a.tries, Try{group, w, name, answer, outcome})
}

func (a *attack) untried(group Group, w *check.Way, name string, why error) {
	a.note(group, w, name, Untried, why.Error())
}

// judge notes what a request that must be refused was answered. Codes that say nothing
// about it, but that a limit was met or the credential is none, prove nothing.
func (a *attack) judge(group Group, w check.Way, name string, answer *stun.Message, err error, beside ...stun.ErrorCode) (accepted bool) {
	switch {
	case errors.Is(err, errIgnored):
		a.note(group, &w, name, Refused, "silence")
	case err != nil:
		a.untried(group, &w, name, err)
	case answer.Type.Class == stun.ClassSuccessResponse:
		a.note(group, &w, name, Accepted, "success")
		return true
	case slices.Contains(beside, codeOf(answer)):
		a.untried(group, &w, name, fmt.Errorf("answered %d", codeOf(answer)))
	default:
		a.note(group, &w, name, Refused, fmt.Sprint(int(codeOf(answer))))
	}
	return false
}

func codeOf(answer *stun.Message) stun.ErrorCode {
	var code stun.ErrorCodeAttribute
	if code.GetFrom(answer) != nil {
		return 0
	}
	return code.Code
}

// What has nothing to do with what a right credential asks for.
var aside = []stun.ErrorCode{stun.CodeUnauthorized, stun.CodeStaleNonce, stun.CodeAllocMismatch, stun.CodeAllocQuotaReached, stun.CodeInsufficientCapacity}

var (
	errSilent  = errors.New("no answer")
	errIgnored = errors.New("no answer, although others get one")
	errGone    = errors.New("nothing is answered any more")
	errClosed  = errors.New("the connection was closed")
)
