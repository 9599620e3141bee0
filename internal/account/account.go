// Package account is the user that workers run as: its ids and groups, its environment, and
// the thread without privileges that its processes are started from.
package account

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// Account is a user of the system, and the groups of its processes.
type Account struct {
	name, home string // "" if the user database has no entry
	uid, gid   uint32
	groups     []uint32 // supplementary
	own        bool     // this process has these ids already
}

// LookUp returns the account that spec stands for: "user" or "user:group", by name or number.
// It is nil if spec is "": processes then run as this one.
func LookUp(spec string) (*Account, error) {
	if spec == "" {
		return nil, nil
	}
	name, group, withGroup := strings.Cut(spec, ":")
	a, err := byName(name, withGroup)
	if err == nil && withGroup {
		a.groups = nil
		a.gid, err = groupByName(group)
	}
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", spec, err)
	}
	a.own = int(a.uid) == os.Geteuid() && int(a.gid) == os.Getegid() && a.uid != 0 // to set them again would need root
	return a, nil
}

// Other returns the ids and groups of a. ok is false if a is nil, or this process's user.
func (a *Account) Other() (uid, gid uint32, groups []uint32, ok bool) {
	if a == nil || int(a.uid) == os.Geteuid() {
		return 0, 0, nil, false
	}
	return a.uid, a.gid, a.groups, true
}

// byName looks up a user by name or number. A number needs no entry in the user database if
// the group is given too.
func byName(name string, withGroup bool) (*Account, error) {
	u, err := user.Lookup(name)
	if n, nerr := parseID(name); err != nil && nerr == nil {
		if u, err = user.LookupId(name); err != nil && withGroup {
			return &Account{uid: n}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	a := &Account{name: u.Username, home: u.HomeDir}
	if a.uid, err = parseID(u.Uid); err != nil {
		return nil, err
	}
	if a.gid, err = parseID(u.Gid); err != nil {
		return nil, err
	}
	a.groups, err = groupsOf(u)
	return a, err
}

// groupsOf returns the groups that initgroups(3) would set.
func groupsOf(u *user.User) (groups []uint32, err error) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		n, err := parseID(id)
		if err != nil {
			return nil, err
		}
		groups = append(groups, n)
	}
	return groups, nil
}

func groupByName(name string) (uint32, error) {
	g, err := user.LookupGroup(name)
	if err == nil {
		return parseID(g.Gid)
	}
	if n, nerr := parseID(name); nerr == nil {
		return n, nil
	}
	return 0, err
}

func parseID(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}

// Environ returns env for a process of the account: HOME, USER and LOGNAME are its own, or
// missing where it has none. Those with another value than in this process's environment
// were set on purpose, and stay.
func (a *Account) Environ(env []string) []string {
	if a == nil || a.own {
		return env
	}
	own := map[string]string{"HOME": a.home, "USER": a.name, "LOGNAME": a.name}
	kept := make([]string, 0, len(env)+len(own))
	for _, e := range env {
		name, value, _ := strings.Cut(e, "=")
		if _, is := own[name]; is {
			if value == os.Getenv(name) {
				continue
			}
			delete(own, name)
		}
		kept = append(kept, e)
	}
	for _, name := range []string{"HOME", "USER", "LOGNAME"} {
		if own[name] != "" {
			kept = append(kept, name+"="+own[name])
		}
	}
	return kept
}
