// Command man writes praxisrelay's manual pages into a folder. It is a command by itself so that
// the server does not contain the code that renders them.
package main

import (
	"log"
	"os"

	"github.com/spf13/cobra/doc"

	"praxisrelay/cmd/praxisrelay/cli"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: man FOLDER")
	}
	root := cli.Command("", nil, 0)
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "praxisrelay", Manual: "praxisrelay"}
	if err := doc.GenManTree(root, header, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
