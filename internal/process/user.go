package process

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// credential is the user and groups that a worker runs as.
type credential struct {
	uid, gid uint32
	groups   []uint32 // supplementary
}

// Owner returns the user and groups that workers run as. ok is false if these are this
// process's, or if workers have the rights of this process's user anyway.
func (i *Image) Owner() (uid, gid uint32, groups []uint32, ok bool) {
	if i == nil || i.user == nil || int(i.user.uid) == os.Geteuid() {
		return 0, 0, nil, false
	}
	return i.user.uid, i.user.gid, i.user.groups, true
}

// lookUpUser returns the credential that spec, "user" or "user:group", stands for. It is
// nil if workers run as this process does.
func lookUpUser(spec string) (*credential, error) {
	if spec == "" {
		return nil, nil
	}
	name, group, withGroup := strings.Cut(spec, ":")
	c, err := userByName(name, withGroup)
	if err == nil && withGroup {
		c.groups = nil
		c.gid, err = groupByName(group)
	}
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", spec, err)
	}
	if int(c.uid) == os.Geteuid() && int(c.gid) == os.Getegid() && c.uid != 0 {
		return nil, nil // setting them again would need root
	}
	return c, nil
}

// userByName looks up a user by name or number. A number needs no entry in the user
// database if the group is given too.
func userByName(name string, withGroup bool) (*credential, error) {
	u, err := user.Lookup(name)
	if n, nerr := parseID(name); err != nil && nerr == nil {
		if u, err = user.LookupId(name); err != nil && withGroup {
			return &credential{uid: n}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	c := &credential{}
	if c.uid, err = parseID(u.Uid); err != nil {
		return nil, err
	}
	if c.gid, err = parseID(u.Gid); err != nil {
		return nil, err
	}
	c.groups, err = groupsOf(u)
	return c, err
}

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
