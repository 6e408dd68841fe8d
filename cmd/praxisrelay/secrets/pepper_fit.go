package secrets

import (
	"fmt"

	"praxisrelay/config"
	"praxisrelay/signal/admin/api"
)

// PepperMistake returns an error if the pepper fits none of the existing codes.
func PepperMistake(fit api.PepperFit, c config.Config) error {
	if fit.Unknown == 0 || fit.Known > 0 {
		return nil
	}
	return fmt.Errorf("signal.pepper_file: %s is not the pepper of the %d codes in %s, so "+
		"none of them would be accepted: restore the pepper that they were made with or, to give up "+
		"all codes, move the registry away",
		c.Signal.PepperFile, fit.Unknown, c.Signal.Registry)
}

// PepperWarning returns an error if the pepper fits only some of the existing codes.
func PepperWarning(fit api.PepperFit) error {
	if fit.Unknown == 0 || fit.Known == 0 {
		return nil
	}
	return fmt.Errorf("signal.pepper_file: %d of %d codes were made with a pepper that is not in "+
		"it, and are not accepted: put that pepper on its second line, or revoke these appointments "+
		"and make them again; the last of them ends on %s",
		fit.Unknown, fit.Known+fit.Unknown, fit.Until.UTC().Format("2006-01-02 15:04 MST"))
}
