package setup

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
)

// clockOff is how far the clock may be off. Codes and credentials are valid for hours, and ACME
// tolerates minutes.
const clockOff = time.Minute

// directoryWarning checks that the ACME directory answers and, at the same time, that the clock
// agrees with its time.
func directoryWarning(ctx context.Context, acme config.ACME, now time.Time) error {
	client, err := secrets.Trusting(acme.CAFile, false)
	if err != nil {
		return fmt.Errorf("tls.acme.ca_file: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, acme.Directory, nil)
	if err != nil {
		return fmt.Errorf("tls.acme.directory: %w", err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("tls.acme.directory: no answer (%w): correct it, or let this host reach it", err)
	}
	response.Body.Close()
	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		if off := now.Sub(date).Round(time.Second); off.Abs() > clockOff {
			return fmt.Errorf("clock: this host's clock is %s off that of %s: set it, and keep it "+
				"right with chrony or systemd-timesyncd", off, request.URL.Host)
		}
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("tls.acme.directory: answers %s: correct it", response.Status)
	}
	return nil
}
