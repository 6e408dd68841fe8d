package appliance

import (
	"net/http"
	"time"

	"praxisrelay/signal"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
)

// spareLifetime is short because nothing can revoke a credential that belongs to no appointment.
const spareLifetime = time.Hour

// serveCredentials makes credentials for the command, which cannot: only the daemon knows the
// secrets in effect (from the service manager or the last praxisrelay reload) and the bound
// addresses.
func (a *Appliance) serveCredentials(w http.ResponseWriter, r *http.Request) {
	var wanted api.NewCredentials
	if err := readOperation(w, r, 1<<10, &wanted); err != nil || wanted.Count < 1 ||
		wanted.Count > api.MaxCredentials {
		http.Error(w, "the body is not what praxisrelay credential sends", http.StatusBadRequest)
		return
	}
	made := api.MadeCredentials{URLs: a.urls,
		Appointments: make([]api.AppointmentCredentials, wanted.Count)}
	until := a.now().Add(spareLifetime)
	for i := range made.Appointments {
		id, of := appointment.NewID(), &made.Appointments[i]
		for seat, into := range map[string]*api.TURNCredential{appointment.Doctor: &of.Doctor,
			appointment.Patient: &of.Patient} {
			c, err := a.Mint(signal.Holder{Appointment: id, Seat: seat, Until: until})
			if err != nil {
				a.log.Error("no TURN credential can be made", "error", err)
				http.Error(w, "no TURN credential can be made", http.StatusInternalServerError)
				return
			}
			*into = api.TURNCredential{Username: c.Username, Credential: c.Password}
			made.Expires = c.Expires
		}
	}
	a.log.Info("TURN credentials were made", "by", "socket", "appointments", wanted.Count)
	answerOperation(w, made)
}
