package hostile

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"
)

// Page lists the HTTP requests to one port.
type Page struct {
	Name     string // name of the port
	URL      string // without a path
	Client   *http.Client
	Requests []Ask
}

// Ask is one request. It has no token, and an invalid body: if the server let it in, it would
// report that, and nothing would happen.
type Ask struct{ Method, Path string }

// Statuses for requests that are not let in. A server that judges the body has let the request in.
var notLetIn = []int{
	http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound,
	http.StatusMethodNotAllowed, http.StatusTooManyRequests,
}

func (a *attack) web(ctx context.Context) {
	a.event(Web, nil)
	for _, page := range a.Web {
		for _, ask := range page.Requests {
			name := fmt.Sprintf("%s %s at %s", ask.Method, ask.Path, page.Name)
			status, err := page.ask(ctx, ask, a.times.answer)
			switch {
			case err != nil:
				a.untried(Web, nil, name, err)
			case status >= http.StatusInternalServerError:
				a.untried(Web, nil, name, fmt.Errorf("HTTP %d", status))
			case slices.Contains(notLetIn, status):
				a.note(Web, nil, name, Refused, fmt.Sprintf("HTTP %d", status))
			default:
				a.note(Web, nil, name, Accepted, fmt.Sprintf("HTTP %d", status))
			}
		}
	}
}

func (p Page) ask(ctx context.Context, ask Ask, within time.Duration) (status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	var body io.Reader
	if ask.Method != http.MethodGet {
		body = strings.NewReader("nothing can be made of this")
	}
	request, err := http.NewRequestWithContext(ctx, ask.Method, p.URL+ask.Path, body)
	if err != nil {
		return 0, err
	}
	response, err := p.Client.Do(request)
	if err != nil {
		return 0, err
	}
	response.Body.Close()
	return response.StatusCode, nil
}
