package ops

import (
	"bytes"
	"debug/elf"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"praxisrelay/cmd/praxisrelay/apptest"
	"praxisrelay/cmd/praxisrelay/cli"
)

// packages are folders with the output of `make packages` for this machine's architecture, by
// version.
var packages = struct {
	sync.Mutex
	folders map[string]string
}{folders: map[string]string{}}

// packagesOf builds a version's packages, or returns those built before.
func packagesOf(t *testing.T, version string) (folder string) {
	t.Helper()
	packages.Lock()
	defer packages.Unlock()
	if packages.folders[version] == "" {
		folder, err := filepath.Abs(apptest.InTree("build", "packages-"+version))
		if err != nil {
			t.Fatal(err)
		}
		buildPackages(t, folder, "VERSION="+version, "TZ=Etc/GMT+12")
		packages.folders[version] = folder
	}
	return packages.folders[version]
}

func buildPackages(t *testing.T, folder string, environment ...string) {
	t.Helper()
	c := exec.Command(apptest.InTree("systemd/packages/build"), folder, "linux/"+runtime.GOARCH)
	c.Env = append(os.Environ(), environment...)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

// one returns the only file in a folder that matches a pattern.
func one(t *testing.T, folder, pattern string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, pattern))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s in %s: %v, %v", pattern, folder, files, err)
	}
	return files[0]
}

// output runs a program to its end and returns its output.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	var errs bytes.Buffer
	c := exec.Command(name, args...)
	c.Stderr = &errs
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s %v: %v: %s", name, args, err, errs.String())
	}
	return string(out)
}

// TestPackagesAreReproducible checks that the same tree gives the same bytes for every builder and
// time zone.
func TestPackagesAreReproducible(t *testing.T) {
	t.Parallel()
	first, second := packagesOf(t, "1.0.0"), t.TempDir()
	buildPackages(t, second, "VERSION=1.0.0", "TZ=Etc/GMT-14", "LANG=C", "LC_ALL=C", "USER=somebody",
		"TMPDIR="+t.TempDir())
	sums := func(folder string) string {
		text, err := os.ReadFile(filepath.Join(folder, "SHA256SUMS"))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	if sums(first) != sums(second) {
		t.Errorf("built twice:\n%s\n%s", sums(first), sums(second))
	}
	for _, kind := range []string{".deb", ".rpm", "_linux_" + runtime.GOARCH, ".cdx.json"} {
		if !strings.Contains(sums(first), kind+"\n") {
			t.Errorf("no %s was made:\n%s", kind, sums(first))
		}
	}
	c := exec.Command("sha256sum", "--check", "--strict", "SHA256SUMS")
	c.Dir = second
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestPackageContents checks that both packages hold the same, except for the folders of
// completions, and that all commands have manual pages.
func TestPackageContents(t *testing.T) {
	t.Parallel()
	apptest.Tool(t, "rpm", "rpm")
	folder := packagesOf(t, "1.0.0")
	deb, rpm := one(t, folder, "*.deb"), one(t, folder, "*.rpm")
	unpacked, installed := t.TempDir(), t.TempDir()
	output(t, "dpkg-deb", "--extract", deb, unpacked)
	output(t, "rpm", "--root", installed, "--install", "--nodeps", "--noscripts", "--dbpath", "/var/rpm", rpm)
	if err := os.RemoveAll(filepath.Join(installed, "var")); err != nil { // RPM's database
		t.Fatal(err)
	}
	files, fromRPM := tree(t, unpacked), tree(t, installed)
	const zsh = "usr/share/zsh/%s/_praxisrelay"
	if a, b := fmt.Sprintf(zsh, "vendor-completions"), fmt.Sprintf(zsh,
		"site-functions"); files[a] == 0 || files[a] != fromRPM[b] {
		t.Errorf("zsh's completions: %v and %v", files[a], fromRPM[b])
	} else {
		fromRPM[a] = fromRPM[b]
		delete(fromRPM, b)
	}
	if !maps.Equal(files, fromRPM) {
		t.Errorf("the .deb has\n%v\nthe .rpm has\n%v", files, fromRPM)
	}

	expected := map[string]fs.FileMode{
		"etc/praxisrelay/praxisrelay.example.yaml":             0o644,
		"usr/bin/praxisrelay":                                  0o755,
		"usr/lib/systemd/system/praxisrelay.service":           0o644,
		"usr/lib/systemd/system/praxisrelay.socket":            0o644,
		"usr/lib/systemd/system/praxisrelay-http.socket":       0o644,
		"usr/lib/systemd/system/praxisrelay-udp443.socket":     0o644,
		"usr/lib/systemd/system/praxisrelay-failed.target":     0o644,
		"usr/share/bash-completion/completions/praxisrelay":    0o644,
		fmt.Sprintf(zsh, "vendor-completions"):                 0o644,
		"usr/share/fish/vendor_completions.d/praxisrelay.fish": 0o644,
		"usr/share/doc/praxisrelay/README":                     0o644,
		"usr/share/doc/praxisrelay/copyright":                  0o644,
		"usr/share/doc/praxisrelay/third-party-licences":       0o644,
		"usr/share/doc/praxisrelay/praxisrelay.cdx.json":       0o644,
		"usr/share/doc/praxisrelay/installation.md":            0o644,
	}
	for _, page := range manPages(cli.Command("", time.Now, 0)) {
		expected["usr/share/man/man1/"+page+".1.gz"] = 0o644
	}
	for path, mode := range expected {
		if files[path] != mode {
			t.Errorf("%s has the mode %o, want %o", path, files[path], mode)
		}
	}
	for path := range files {
		if _, ok := expected[path]; !ok && !strings.HasPrefix(path, "usr/share/doc/praxisrelay/") {
			t.Errorf("%s is unexpected", path)
		}
	}

	if conffiles := output(t, "dpkg-deb", "--info", deb,
		"conffiles"); conffiles != "/etc/praxisrelay/praxisrelay.example.yaml\n" {
		t.Errorf("conffiles: %q", conffiles)
	}
	if config := output(t, "rpm", "-qp", "--configfiles",
		rpm); config != "/etc/praxisrelay/praxisrelay.example.yaml\n" {
		t.Errorf("RPM's configuration files: %q", config)
	}
	version := output(t, filepath.Join(unpacked, "usr/bin/praxisrelay"), "--version")
	if of := output(t, "dpkg-deb", "--field", deb,
		"Version"); version != "praxisrelay version 1.0.0\n" || of != "1.0.0\n" {
		t.Errorf("versions: %q and %q", version, of)
	}
	documents := filepath.Join(unpacked, "usr/share/doc/praxisrelay")
	for path := range tree(t, documents) {
		if path = filepath.Join(documents, path); filepath.Ext(path) != ".md" {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		checkLinks(t, path, string(text))
	}
	const maintainer = "built from source <root@localhost>\n"
	if got, rpms := output(t, "dpkg-deb", "--field", deb, "Maintainer"), output(t, "rpm", "-qp",
		"--queryformat", "%{PACKAGER}\n", rpm); got != maintainer || rpms != maintainer {
		t.Errorf("maintainers: %q and %q", got, rpms)
	}
	checkStatic(t, filepath.Join(unpacked, "usr/bin/praxisrelay"))
	checkBill(t, filepath.Join(unpacked, "usr/share/doc/praxisrelay/praxisrelay.cdx.json"))
}

// tree returns a folder's files with their modes.
func tree(t *testing.T, root string) map[string]fs.FileMode {
	t.Helper()
	files := map[string]fs.FileMode{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		path, err = filepath.Rel(root, path)
		files[path] = info.Mode()
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// manPages names the manual pages of a command and its subcommands.
func manPages(c *cobra.Command) []string {
	pages := []string{strings.ReplaceAll(c.CommandPath(), " ", "-")}
	for _, below := range c.Commands() {
		if below.IsAvailableCommand() {
			pages = append(pages, manPages(below)...)
		}
	}
	return pages
}

// checkStatic checks that a program runs on any Linux, whatever its C library.
func checkStatic(t *testing.T, program string) {
	t.Helper()
	file, err := elf.Open(program)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, header := range file.Progs {
		if header.Type == elf.PT_INTERP || header.Type == elf.PT_DYNAMIC {
			t.Errorf("%s is linked dynamically: %v", program, header.Type)
		}
	}
}

// checkBill checks that the SBOM names all linked modules, and Go itself, with versions.
func checkBill(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var bill struct {
		Format   string `json:"bomFormat"`
		Metadata struct {
			Component struct{ Name, Version string }
		}
		Components []struct{ Name, Version string }
	}
	if err := json.Unmarshal(text, &bill); err != nil {
		t.Fatal(err)
	}
	if of := bill.Metadata.Component; bill.Format != "CycloneDX" || of.Name != "praxisrelay" ||
		of.Version != "v1.0.0" {
		t.Errorf("a bill of format %s for %v", bill.Format, of)
	}
	for _, name := range []string{"std", "go.etcd.io/bbolt", "github.com/spf13/cobra"} {
		at := slices.IndexFunc(bill.Components, func(c struct{ Name, Version string }) bool {
			return c.Name == name
		})
		if at < 0 || bill.Components[at].Version == "" {
			t.Errorf("%s is not in the bill, or without a version", name)
		}
	}
	for _, component := range bill.Components {
		if strings.Contains(component.Name, "chromedp") || strings.Contains(component.Name, "md2man") {
			t.Errorf("%s is in the program", component.Name)
		}
	}
}
