package cli_test

import (
	"testing"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/cli"
)

func TestMain(m *testing.M) { apptest.Main(m, cli.Main) }
