package protocol

// Explanation is the reason why a call does not come about, as far as the server can tell.
type Explanation struct {
	Cause string `json:"cause"` // docs/explain.md lists them
	// Side is where the cause lies: patient, doctor, appliance or nobody.
	Side string `json:"side"`
	Seat string `json:"seat,omitempty"` // concerned by the text
	// Text is a sentence or two for people, by language: de and en.
	Text map[string]string `json:"text"`
}
