package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// tool returns the path of a program, or skips the test. Some directories are not in everybody's
// PATH.
func tool(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name, "/usr/local/bin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Skipf("%s isn't installed", name)
	return ""
}

// run runs a tool, which must accept what it is given, and returns what it says.
func run(t *testing.T, path string, args ...string) string {
	t.Helper()
	out, err := exec.Command(path, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %s: %v\n%s", filepath.Base(path), strings.Join(args, " "), err, out)
	}
	return string(out)
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHAProxy(t *testing.T) {
	if out := run(t, tool(t, "haproxy"), "-c", "-f", "haproxy/haproxy.cfg"); strings.Contains(out, "WARNING") {
		t.Error(out)
	}
}

func TestNginx(t *testing.T) {
	nginx, dir := tool(t, "nginx"), t.TempDir()
	text := strings.Replace(read(t, "nginx/nginx.conf"), "listen 80;", "listen unix:"+dir+"/s;", 1) // -t binds it
	path := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(path, []byte("pid nginx.pid;\n"+text), 0o644); err != nil {
		t.Fatal(err)
	}
	run(t, nginx, "-t", "-p", dir, "-c", path, "-e", "stderr")
}

// The units are verified with an executable that there is.
func TestSystemd(t *testing.T) {
	analyze := tool(t, "systemd-analyze")
	version, _ := strconv.Atoi(regexp.MustCompile(`\d+`).FindString(run(t, analyze, "--version")))
	dir := t.TempDir()
	for _, name := range []string{"app.service", "app.socket"} {
		text := read(t, "systemd/"+name)
		text = strings.ReplaceAll(text, "/srv/app/current/server", "/bin/true")
		if version < 253 { // as docs/systemd.md says
			text = strings.ReplaceAll(text, "Type=notify-reload", "Type=notify\nExecReload=/bin/kill -HUP $MAINPID")
			text = strings.ReplaceAll(text, "TimeoutReloadSec=300\n", "")
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := run(t, analyze, "verify", "--man=no", filepath.Join(dir, "app.service"), filepath.Join(dir, "app.socket"))
	for line := range strings.Lines(out) {
		if strings.Contains(line, "app.") { // and not another unit of this machine
			t.Error(line)
		}
	}
}

func TestAnsible(t *testing.T) {
	playbook := tool(t, "ansible-playbook")
	t.Setenv("LC_ALL", "C.UTF-8")
	run(t, playbook, "--syntax-check", "-i", "localhost,", "ansible/roll.yml")
	play := read(t, "ansible/roll.yml")
	for _, want := range []string{"serial: 1", "any_errors_fatal: true"} {
		if !strings.Contains(play, want) {
			t.Errorf("the play doesn't have %q", want)
		}
	}
}

// A roll that was interrupted has left the link that is to be moved. The next one moves its own: without -n ln would make a link in the
// directory that the old one leads to, and the old release would be deployed.
func TestAnsibleAfterAnInterruptedRoll(t *testing.T) {
	links := 0
	for line := range strings.Lines(read(t, "ansible/roll.yml")) {
		if !strings.Contains(line, "mv -T") {
			continue
		}
		links++
		base := t.TempDir()
		for _, n := range []string{"41", "42"} {
			if err := os.MkdirAll(filepath.Join(base, "releases", n), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink(filepath.Join(base, "releases/41"), filepath.Join(base, "next")); err != nil {
			t.Fatal(err)
		}
		want := filepath.Join(base, "releases/42")
		run(t, "/bin/sh", "-c", strings.NewReplacer("{{ base }}", base, "{{ release }}", "42", "{{ before.stdout }}", want).Replace(line))
		if got, err := os.Readlink(filepath.Join(base, "current")); err != nil || got != want {
			t.Errorf("%sthe link leads to %s, %v", line, got, err)
		}
	}
	if links != 2 {
		t.Errorf("%d links are moved, want 2", links)
	}
}

func TestDockerfile(t *testing.T) {
	docker := tool(t, "docker")
	if out, err := exec.Command(docker, "buildx", "version").CombinedOutput(); err != nil {
		t.Skipf("docker has no buildx: %s", out)
	}
	if out, err := exec.Command(docker, "info").CombinedOutput(); err != nil {
		t.Skipf("no docker daemon: %s", out)
	}
	run(t, docker, "build", "--check", "-f", "docker/Dockerfile", "..")
}

func TestNomad(t *testing.T) {
	run(t, tool(t, "nomad"), "fmt", "-check", "nomad/app.nomad.hcl")
}
