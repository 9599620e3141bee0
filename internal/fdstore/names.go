package fdstore

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/rota-go/rota/internal/descriptor"
)

// Prefix begins the names of a master's descriptors in the store. The program must not use it
// for descriptors of its own.
const Prefix = "rota."

// The kinds of names. The rest of a name says which socket, file or record it is, so that it is
// the same in every master, and never another's: a manager doesn't keep a second descriptor of
// the same, whatever its name.
const (
	socketPrefix     = Prefix + "socket."
	executablePrefix = Prefix + "executable."
	recordPrefix     = Prefix + "record."
	leasePrefix      = Prefix + "lease."
	sharedPrefix     = Prefix + "shared."
)

// SocketName returns the name of a socket: by the kernel's cookie of it, which no other socket
// ever gets.
func SocketName(fd *descriptor.FD) (string, error) {
	c, err := descriptor.Cookie(fd.Int())
	if err != nil {
		return "", fmt.Errorf("cookie of socket: %w", err)
	}
	return socketPrefix + strconv.FormatUint(c, 16), nil
}

// ExecutableName returns the name of an executable.
func ExecutableName(fd *descriptor.FD) (string, error) { return fileName(executablePrefix, fd) }

// LeaseName returns the name of the reading end of a pipe, which ends with the last holder of a lease.
func LeaseName(fd *descriptor.FD) (string, error) {
	if !isPipe(fd.Int()) {
		return "", errors.New("it is no pipe")
	}
	return fileName(leasePrefix, fd)
}

// SharedName returns the name of a file that workers share.
func SharedName(fd *descriptor.FD) (string, error) { return fileName(sharedPrefix, fd) }

func fileName(prefix string, fd *descriptor.FD) (string, error) {
	device, inode, err := identify(fd.Int())
	if err != nil {
		return "", fmt.Errorf("stat: %w", err)
	}
	return fmt.Sprintf("%s%x.%x", prefix, device, inode), nil
}

func isLease(name string) bool { return strings.HasPrefix(name, leasePrefix) }

func isSocket(name string) bool { return strings.HasPrefix(name, socketPrefix) }

func recordName(number uint64) string { return recordPrefix + strconv.FormatUint(number, 10) }

// recordNumber returns the number in the name of a record. ok is false if it is another name.
func recordNumber(name string) (number uint64, ok bool) {
	s, ok := strings.CutPrefix(name, recordPrefix)
	number, err := strconv.ParseUint(s, 10, 63)
	return number, ok && err == nil && recordName(number) == name
}

// IsRecord reports whether a name is of a record, which a master has from the time on when its first workers were ready.
func IsRecord(name string) bool {
	_, ok := recordNumber(name)
	return ok
}

// IsOurs reports whether a name is of a descriptor of a master.
func IsOurs(name string) bool {
	rest, ok := strings.CutPrefix(name, Prefix)
	return ok && len(name) < 100 && strings.Trim(rest, "abcdefghijklmnopqrstuvwxyz0123456789.") == ""
}
