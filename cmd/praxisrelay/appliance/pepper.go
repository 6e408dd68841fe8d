package appliance

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"praxisrelay/cmd/praxisrelay/secrets"
	"praxisrelay/config"
	"praxisrelay/signal/admin/api"
	"praxisrelay/signal/appointment"
	"praxisrelay/signal/registry"
)

// A pepper that is not the registry's makes every code unknown and breaks nothing else.
// So it is tried at the codes themselves: at the start, at a reload, and by config check.

// pepperMistake is the error where a pepper knows no code of all that there are.
func pepperMistake(fit api.PepperFit, c config.Config) error {
	if err := secrets.PepperMistake(fit, c); err != nil {
		return Misconfiguration{err}
	}
	return nil
}

// fitted is how the pepper in effect goes with the registry, as of some moment.
type fitted struct {
	mu  sync.Mutex
	fit api.PepperFit
	at  time.Time
}

func (f *fitted) set(fit api.PepperFit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fit, f.at = fit, time.Now()
}

// fitPepper tries peppers at the registry. A row that is damaged is another matter.
func (a *Appliance) fitPepper(peppers ...[]byte) (fit api.PepperFit, err error) {
	pepper, err := appointment.NewPepper(peppers...)
	if err != nil {
		return fit, err
	}
	return a.fit(pepper)
}

func (a *Appliance) fit(pepper *appointment.Pepper) (fit api.PepperFit, err error) {
	list, err := a.registry.List(context.Background())
	if err != nil && !errors.Is(err, registry.ErrDamaged) {
		return fit, err
	}
	return api.PepperFit(pepper.Fit(list, time.Now())), nil
}

// takeFit remembers what came of trying the pepper that takes effect.
func (a *Appliance) takeFit(fit api.PepperFit) {
	if fit.Unknown > 0 {
		a.log.Warn("codes are unknown: their pepper is gone", "codes", fit.Unknown, "of", fit.Known+fit.Unknown, "until", fit.Until.UTC())
	}
	a.fitted.set(fit)
}

// checkPepper tells of codes that are unknown until they are over or revoked. It reads the
// registry at most once a minute, however often it is asked.
func (a *Appliance) checkPepper() error {
	f := &a.fitted
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.fit.Unknown > 0 && time.Since(f.at) > time.Minute {
		f.at = time.Now()
		if fit, err := a.fit(a.pepper); err == nil {
			f.fit = fit
		}
	}
	if f.fit.Unknown == 0 {
		return nil
	}
	return errors.New("some codes are unknown, since their pepper is gone: praxisrelay config check says how many, and what to do")
}

// servePepper tells config check how peppers would go with the registry, which the daemon
// keeps to itself.
func (a *Appliance) servePepper(w http.ResponseWriter, r *http.Request) {
	const most = 16 << 10 // bytes
	var asked api.Peppers
	if err := readOperation(w, r, most, &asked); err != nil {
		http.Error(w, "the body is not what praxisrelay config check sends", http.StatusBadRequest)
		return
	}
	fit, err := a.fitPepper(asked.Peppers...)
	if err != nil {
		http.Error(w, err.Error(), http.StatusUnprocessableEntity)
		return
	}
	answerOperation(w, fit)
}
