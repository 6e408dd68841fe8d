package config

import "fmt"

// retiredKeys are keys of older versions, with the reason why they are gone. A file that sets one
// still loads, so that an upgrade does not stop the daemon.
var retiredKeys = map[string]string{
	"relay.max_per_appointment": "relay.max_per_seat limits both seats",
	"signal.max_message":        "a message has at most 16,384 bytes",
}

// Retired returns a warning for each key in the file that has no effect any more.
func (s *Source) Retired() (warnings []error) {
	for _, key := range s.retired {
		warnings = append(warnings, fmt.Errorf("%s: no effect any more, since %s: delete this line", key, retiredKeys[key]))
	}
	return warnings
}
