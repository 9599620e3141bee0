//go:build linux

package kubernetes

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"

	"github.com/rota-go/rota/internal/e2etest"
)

// objects decodes a manifest strictly: a field that doesn't exist, or is there twice, is an error.
func objects(t *testing.T, text []byte) (all []runtime.Object, err error) {
	t.Helper()
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{core.AddToScheme, apps.AddToScheme, policy.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for {
		doc, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		if len(bytes.TrimSpace(doc)) == 0 {
			continue
		}
		o, _, err := decoder.Decode(doc, nil, nil)
		if err != nil {
			return nil, err
		}
		all = append(all, o)
	}
}

func manifest(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile("app.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// deployment returns the one Deployment of app.yaml.
func deployment(t *testing.T) *apps.Deployment {
	t.Helper()
	all, err := objects(t, manifest(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range all {
		if d, ok := o.(*apps.Deployment); ok {
			return d
		}
	}
	t.Fatal("no Deployment")
	return nil
}

func TestManifestIsStrictlyValid(t *testing.T) {
	all, err := objects(t, manifest(t))
	if err != nil || len(all) != 4 {
		t.Fatalf("%d objects, %v, want 4", len(all), err)
	}
	wrong := bytes.Replace(manifest(t), []byte("periodSeconds"), []byte("periodSecond"), 1)
	if _, err := objects(t, wrong); err == nil {
		t.Error("a field that doesn't exist is no error: this test checks nothing")
	}
}

// A pod is given the time that its stop may take, and its probes ask for what there is.
func TestManifestTimes(t *testing.T) {
	pod := deployment(t).Spec.Template.Spec
	app := pod.Containers[0]
	sleep := app.Lifecycle.PreStop.Sleep.Seconds
	grace, err := time.ParseDuration(env(t, app, "ROTA_STOP_GRACE"))
	if err != nil {
		t.Fatal(err)
	}
	killAfter := 5 * time.Second // the default
	if least := time.Duration(sleep)*time.Second + grace + 2*killAfter + time.Second; *pod.TerminationGracePeriodSeconds < int64(least.Seconds()) {
		t.Errorf("terminationGracePeriodSeconds is %d, want at least %v", *pod.TerminationGracePeriodSeconds, least)
	}
	for name, probe := range map[string]*core.Probe{"/readyz": app.ReadinessProbe, "/readyz ": app.StartupProbe, "/livez": app.LivenessProbe} {
		if probe.HTTPGet.Path != strings.TrimSpace(name) || probe.HTTPGet.Port.String() != "health" {
			t.Errorf("a probe asks for %s at %s, want %s at health", probe.HTTPGet.Path, probe.HTTPGet.Port.String(), name)
		}
	}
}

func env(t *testing.T, c core.Container, name string) string {
	t.Helper()
	for _, v := range c.Env {
		if v.Name == name {
			return v.Value
		}
	}
	t.Fatalf("container %s has no %s", c.Name, name)
	return ""
}

// The sidecar, as the manifest has it, reloads when the link moves that the kubelet moves, and not
// before. The answers are of the new configuration then.
func TestSidecarReloads(t *testing.T) {
	dir, addr := t.TempDir(), e2etest.FreeAddress(t)
	release := func(name, greeting string) {
		e2etest.NoError(t, os.MkdirAll(filepath.Join(dir, name), 0o755))
		e2etest.NoError(t, os.WriteFile(filepath.Join(dir, name, "greeting"), []byte(greeting), 0o644))
		e2etest.NoError(t, os.Symlink(name, filepath.Join(dir, "next")))
		e2etest.NoError(t, os.Rename(filepath.Join(dir, "next"), filepath.Join(dir, "..data")))
	}
	release("1", "hello")
	cmd := exec.Command(e2etest.Build(t, "../../examples/fleet"))
	cmd.Env = append(os.Environ(), "ADDR="+addr, "CONFIG="+dir+"/..data/greeting", "ROTA_PID_FILE="+dir+"/pid", "ROTA_MIN_UPTIME=none")
	p := e2etest.Run(t, cmd)
	p.WaitLog(e2etest.WorkerReady, 1)
	e2etest.WaitFor(t, "the PID file", func() bool { _, err := os.Stat(dir + "/pid"); return err == nil })

	sidecar := deployment(t).Spec.Template.Spec.Containers[1]
	side := exec.Command(sidecar.Command[0], append(sidecar.Command[1:], sidecar.Args...)...)
	side.Env = append(os.Environ(), "WATCH="+dir+"/..data", "PID_FILE="+dir+"/pid", "EVERY=0.05")
	s := e2etest.Run(t, side)
	time.Sleep(300 * time.Millisecond) // to believe that it doesn't reload
	if n := p.Logged(e2etest.ReloadStarts); n > 0 {
		t.Errorf("%d reloads without a change", n)
	}
	release("2", "good day")
	p.WaitLog(e2etest.ReloadDone, 1)
	if body := get(t, addr); !strings.HasPrefix(body, "good day") {
		t.Errorf("the answer is %q", body)
	}
	s.Signal(syscall.SIGTERM)
	if status := s.Wait(); status != 0 {
		t.Errorf("the sidecar ends with status %d", status)
	}
}

func get(t *testing.T, addr string) string {
	t.Helper()
	c := http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", addr)
	}}}
	r, err := c.Get("http://app/")
	e2etest.NoError(t, err)
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	e2etest.NoError(t, err)
	return string(body)
}
