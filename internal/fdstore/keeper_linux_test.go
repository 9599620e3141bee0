//go:build linux

package fdstore

import (
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/rota-go/rota/internal/descriptor"
)

// shop is the manager of a test: its store, and the messages that it got.
type shop struct {
	*Keeper
	t        *testing.T
	messages []string
	files    map[string]*descriptor.FD
	done     []func()
}

func newShop(t *testing.T) *shop {
	s := &shop{t: t, files: map[string]*descriptor.FD{}}
	s.Keeper = &Keeper{Send: s.receive, Sent: func(done func()) { s.done = append(s.done, done) }}
	t.Cleanup(func() {
		for _, fd := range s.files {
			_ = fd.Close()
		}
	})
	return s
}

func (s *shop) receive(fd *descriptor.FD, lines ...string) {
	name := strings.TrimPrefix(lines[1], "FDNAME=")
	if lines[0] == "FDSTORE=1" {
		if lines[2] != "FDPOLL=0" || fd == nil || s.files[name] != nil {
			s.t.Errorf("sent %q with %v", lines, fd)
		}
		s.files[name] = fd
		s.messages = append(s.messages, "+"+strings.TrimPrefix(name, Prefix))
		return
	}
	_ = s.files[name].Close()
	delete(s.files, name)
	s.messages = append(s.messages, "-"+strings.TrimPrefix(name, Prefix))
}

// keep calls Keep with descriptors of these names.
func (s *shop) keep(stamp int, names ...string) {
	s.t.Helper()
	err := s.Keep(stamp, func() (items []Item, r Record) {
		for _, name := range names {
			items = append(items, Item{Prefix + name, null(s.t)})
		}
		return items, Record{Generation: stamp}
	})
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *shop) got(want string) {
	s.t.Helper()
	if got := strings.Join(s.messages, " "); got != want {
		s.t.Errorf("the manager got %s\nwant %s", got, want)
	}
	s.messages = nil
}

func (s *shop) read() {
	for _, done := range s.done {
		done()
	}
	s.done = nil
}

func null(t *testing.T) *descriptor.FD {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fd, err := descriptor.DupOf(f)
	if err != nil {
		t.Fatal(err)
	}
	return fd
}

// The new is sent before the old is removed, but for sockets; while the manager doesn't read
// nothing is sent, and what is the same isn't sent again.
func TestKeep(t *testing.T) {
	s := newShop(t)
	before := len(descriptor.Open())
	s.keep(1, "executable.1", "socket.1", "socket.2")
	s.got("+executable.1 +socket.1 +socket.2 +record.1")
	s.keep(2, "executable.2", "socket.2", "socket.3")
	s.got("")
	s.read()
	s.keep(2, "executable.2", "socket.2", "socket.3")
	s.got("-socket.1 +executable.2 +socket.3 +record.2 -executable.1 -record.1")
	s.read()
	s.keep(2, "executable.2")
	s.got("")
	if open := len(descriptor.Open()); open-before != len(s.files) {
		t.Errorf("%d descriptors are open, and %d in the store", open-before, len(s.files))
	}
	s.Empty()
	s.got("-record.2 -socket.2 -executable.2 -socket.3")
	s.Empty()
	s.got("")
	s.read()
	s.keep(2)
	s.got("+record.3")
}

// A Keeper goes on with what another has kept.
func TestHolds(t *testing.T) {
	s := newShop(t)
	s.keep(1, "socket.1", "socket.2")
	next := newShop(t)
	next.Holds([]string{"rota.socket.8", "rota.record.9"}) // is corrected
	next.Holds(append(s.Names(), "web", "rota.x\nREADY=1"))
	next.files, s.files = s.files, nil
	next.keep(1, "socket.1", "socket.3")
	next.got("-socket.2 +socket.3 +record.10 -record.1")
	next.Holds([]string{"rota.socket.1", "rota.record.1"}) // comes late
	next.files["rota.record.1"] = null(t)
	next.read()
	next.keep(1, "socket.1", "socket.3")
	next.got("+record.11 -record.10 -record.1")
}

// kept returns what a manager passes that has these files.
func (s *shop) kept() *Kept {
	k := &Kept{files: map[string]*descriptor.FD{}}
	for name, fd := range s.files {
		n, err := descriptor.DupAbove(fd.Int(), 0)
		k.add(name, n, err)
	}
	return k
}

// The newest record that can be read counts.
func TestNewestRecord(t *testing.T) {
	s := newShop(t)
	for i := 9; i <= 12; i++ {
		b, err := Record{Generation: i}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if i == 12 {
			b = b[1:]
		}
		fd, err := write(b)
		if err != nil {
			t.Fatal(err)
		}
		s.files["rota.record."+strconv.Itoa(i)] = fd
	}
	s.files["rota.record.13"] = null(t)
	k := s.kept()
	if r, err := k.Record(); err != nil || r.Generation != 11 {
		t.Errorf("the record is %+v, %v", r, err)
	}
	names := len(k.Names())
	before := len(descriptor.Open())
	k.Close()
	if open := len(descriptor.Open()); before-open != 2 || names != 5 || k.Names() != nil {
		t.Errorf("Close has closed %d descriptors, want the 2 records that weren't read", before-open)
	}
	if _, err := k.Record(); err != errNoRecord {
		t.Errorf("without a record: %v", err)
	}
}

// A record that could still be changed isn't read, nor one that isn't in memory.
func TestReadRefuses(t *testing.T) {
	n, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	open := descriptor.New(n)
	defer open.Close()
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	for what, n := range map[string]int{"a file that is not sealed": n, "a pipe": pipe[0], "nothing": -1} {
		if b, err := read(n); err == nil {
			t.Errorf("%s was read as %q", what, b)
		}
	}
	large, err := write(make([]byte, maxRecord+1))
	if err != nil {
		t.Fatal(err)
	}
	defer large.Close()
	if _, err := read(large.Int()); err == nil {
		t.Error("a record of any length is read")
	}
}

// A descriptor is taken for what its name says, or not at all.
func TestTake(t *testing.T) {
	socket := func() *descriptor.FD {
		n, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		return descriptor.New(n)
	}
	s := newShop(t)
	right := socket()
	name, err := SocketName(right)
	if err != nil {
		t.Fatal(err)
	}
	exe := null(t)
	file, err := ExecutableName(exe)
	if err != nil {
		t.Fatal(err)
	}
	s.files[name], s.files["rota.socket.1"], s.files["rota.socket.2"] = right, socket(), null(t)
	s.files[file], s.files["rota.executable.1"] = exe, null(t)
	k := s.kept()
	defer k.Close()
	before := len(descriptor.Open())
	fd, err := k.TakeSocket(name)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	for _, name := range []string{name, "rota.socket.1", "rota.socket.2", "rota.socket.3"} {
		if _, err := k.TakeSocket(name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
	if fd := k.TakeExecutable(file); fd == nil {
		t.Error("the executable was not taken")
	} else {
		defer fd.Close()
	}
	if k.TakeExecutable("rota.executable.1") != nil || k.TakeExecutable("") != nil {
		t.Error("another file was taken for the executable")
	}
	if closed := before - len(descriptor.Open()); closed != 3 {
		t.Errorf("%d descriptors were closed, want the 3 that are not what their names say", closed)
	}
	var none *Kept
	if _, err := none.Record(); err != errNoRecord || none.Names() != nil || none.Take("x") != nil {
		t.Errorf("nothing was kept: %v", err)
	}
	none.Close()
}

// So are pipes of leases, and shared files.
func TestTakeLeasesAndFiles(t *testing.T) {
	s := newShop(t)
	k := s.kept()
	defer k.Close()
	var ends [2]int
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(ends[1])
	end := descriptor.New(ends[0])
	lease, err := LeaseName(end)
	if err != nil {
		t.Fatal(err)
	}
	other := null(t)
	defer other.Close()
	shared, err := SharedName(other)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := LeaseName(other); err == nil {
		t.Errorf("a device is lease %s", name)
	}
	k.files[lease], k.files[shared] = end, null(t)
	if fd, err := k.TakeLease(lease); err != nil {
		t.Error(err)
	} else {
		_ = fd.Close()
	}
	if fd, err := k.TakeShared(shared); err != nil {
		t.Error(err)
	} else {
		_ = fd.Close()
	}
	for _, name := range []string{lease, "rota.lease.1.1"} {
		if _, err := k.TakeLease(name); err == nil {
			t.Errorf("%s was taken", name)
		}
	}
}

// The variables count for the process that they name. A master's descriptors leave their numbers.
func TestPassed(t *testing.T) {
	env := map[string]string{"LISTEN_PID": "7", "LISTEN_FDS": "3", "LISTEN_FDNAMES": "web::rota.socket.1"}
	getenv := func(name string) string { return env[name] }
	want := []Passed{{3, "web"}, {4, "LISTEN_FD_4"}, {5, "rota.socket.1"}}
	if got := passed(getenv, 7); !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := passed(getenv, 8); got != nil {
		t.Errorf("another process got %v", got)
	}
	for _, n := range []string{"", "0", "-1", "x", "99999999999"} {
		env["LISTEN_FDS"] = n
		if got := passed(getenv, 7); got != nil {
			t.Errorf("LISTEN_FDS=%s: %v", n, got)
		}
	}
	n, twice := null(t).Take(), null(t).Take()
	others, kept := split([]Passed{{n, "rota.x"}, {twice, "rota.x"}, {1 << 20, "rota.y"}, {0, "web"}})
	if !slices.Equal(others, []Passed{{0, "web"}}) || !slices.Equal(kept.Names(), []string{"rota.x", "rota.y"}) {
		t.Errorf("others %v, kept %v", others, kept.Names())
	}
	fd := kept.Take("rota.x")
	if fd == nil || fd.Int() == n || kept.Take("rota.y") != nil {
		t.Fatalf("kept %v", fd)
	}
	_ = fd.Close()
}
