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

// A pepper that does not belong to the registry makes every code unknown, and breaks nothing else
// that somebody would notice. So it is compared with the codes themselves: at the start, at a
// reload, and by config check.

// pepperMistake returns an error if a pepper fits none of the existing codes.
func pepperMistake(fit api.PepperFit, c config.Config) error {
	if err := secrets.PepperMistake(fit, c); err != nil {
		return Misconfiguration{err}
	}
	return nil
}

// pepperFit is how well the pepper in effect fits the registry, as of some moment.
type pepperFit struct {
	mu  sync.Mutex
	fit api.PepperFit
	at  time.Time
}

func (f *pepperFit) set(fit api.PepperFit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.fit, f.at = fit, time.Now()
}

// fitPepper compares peppers with the registry. It ignores damaged rows, which are reported
// elsewhere.
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

// takeFit remembers the fit of the pepper that takes effect.
func (a *Appliance) takeFit(fit api.PepperFit) {
	if fit.Unknown > 0 {
		a.log.Warn("codes are unknown: their pepper is gone", "codes", fit.Unknown, "of",
			fit.Known+fit.Unknown, "until", fit.Until.UTC())
	}
	a.pepperFit.set(fit)
}

// checkPepper reports codes that are unknown, until they are over or revoked. It reads the registry
// at most once a minute, however often it is called.
func (a *Appliance) checkPepper() error {
	f := &a.pepperFit
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
	return errors.New("some codes are unknown because their pepper is gone: praxisrelay config " +
		"check says how many, and what to do")
}

// servePepper answers config check, which cannot open the registry while the daemon has it.
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
