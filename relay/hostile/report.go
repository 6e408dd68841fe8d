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
	Requests Group = "requests" // without a valid credential, or for unserved features
	Web      Group = "web"      // the admin API without a token
)

// Groups lists all groups.
var Groups = []Group{Peers, Lengths, Requests, Web}

// Outcome is the outcome of a try.
type Outcome string

// The outcomes.
const (
	Refused  Outcome = "refused"
	Accepted Outcome = "accepted"
	Untried  Outcome = "untried" // no result, so no proof
)

// Try is one attempt.
type Try struct {
	Group Group      `json:"group"`
	Way   *check.Way `json:"way,omitempty"`
	Name  string     `json:"attack"`
	// Answer is what came back or, if there is no result, why.
	Answer  string  `json:"answer"`
	Outcome Outcome `json:"-"`
}

// Count is the result of a group.
type Count struct {
	Group    Group `json:"group"`
	Tried    int   `json:"tried"` // refused or accepted
	Refused  int   `json:"refused"`
	Accepted int   `json:"accepted"`
	Untried  int   `json:"untried"`
}

// Report is the result of an attack.
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
	for _, list := range [][]Try{r.Accepted, r.Untried} { // ways run in parallel
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

// judge records the answer to a request that must be refused. Codes in unrelated prove nothing,
// since they mean that a limit was hit or the credential was not accepted.
func (a *attack) judge(
	group Group, w check.Way, name string, answer *stun.Message, err error, unrelated ...stun.ErrorCode,
) (accepted bool) {
	switch {
	case errors.Is(err, errIgnored):
		a.note(group, &w, name, Refused, "silence")
	case err != nil:
		a.untried(group, &w, name, err)
	case answer.Type.Class == stun.ClassSuccessResponse:
		a.note(group, &w, name, Accepted, "success")
		return true
	case slices.Contains(unrelated, codeOf(answer)):
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

// aside are codes unrelated to what an authenticated request asks for.
var aside = []stun.ErrorCode{
	stun.CodeUnauthorized, stun.CodeStaleNonce, stun.CodeAllocMismatch,
	stun.CodeAllocQuotaReached, stun.CodeInsufficientCapacity,
}

var (
	errSilent  = errors.New("no answer")
	errIgnored = errors.New("no answer, although others get one")
	errGone    = errors.New("the server no longer answers")
	errClosed  = errors.New("the connection was closed")
)
