package sitecheck

import (
	"context"
	"os/exec"
	"time"
)

// readSystemProxy reads the settings of the network in use.
func readSystemProxy() systemProxy {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	text, err := exec.CommandContext(ctx, "/usr/sbin/scutil", "--proxy").Output()
	if err != nil {
		return systemProxy{}
	}
	return macProxy(string(text))
}
