// Command man writes the manual pages of praxisrelay into a folder. What renders them is no
// part of a server.
package main

import (
	"log"
	"os"

	"github.com/spf13/cobra/doc"

	"praxisrelay/cmd/praxisrelay/cli"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("one argument is expected: the folder")
	}
	root := cli.Command("", nil, 0)
	root.DisableAutoGenTag = true
	header := &doc.GenManHeader{Section: "1", Source: "praxisrelay", Manual: "praxisrelay"}
	if err := doc.GenManTree(root, header, os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
