package secrets

import (
	"fmt"

	"praxisrelay/config"
	"praxisrelay/signal/admin/api"
)

// PepperMistake is the error where a pepper knows no code of all that there are.
func PepperMistake(fit api.PepperFit, c config.Config) error {
	if fit.Unknown == 0 || fit.Known > 0 {
		return nil
	}
	return fmt.Errorf("signal.pepper_file: %s is not the pepper of the %d codes in %s, which would all be unknown: "+
		"restore the one that they were made with or, if no code is to be valid any more, move the registry away",
		c.Signal.PepperFile, fit.Unknown, c.Signal.Registry)
}

// PepperWarning is the error where it knows some.
func PepperWarning(fit api.PepperFit) error {
	if fit.Unknown == 0 || fit.Known == 0 {
		return nil
	}
	return fmt.Errorf("signal.pepper_file: %d of %d codes were made with a pepper that is not in it, and are unknown: "+
		"put that one into its second line, or revoke these appointments and make them again; the last of them is over on %s",
		fit.Unknown, fit.Known+fit.Unknown, fit.Until.UTC().Format("2006-01-02 15:04 MST"))
}
