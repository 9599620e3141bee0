package master

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
)

// identity is who a worker is to the system.
type identity struct {
	uid, gid uint32
	groups   []uint32 // supplementary
}

// identity finds out who Config.User means. Nil means the master's own.
func (c Config) identity() (*identity, error) {
	if c.User == "" {
		return nil, nil
	}
	name, group, withGroup := strings.Cut(c.User, ":")
	id, err := userByName(name, withGroup)
	if err == nil && withGroup {
		id.groups = nil
		id.gid, err = groupByName(group)
	}
	if err != nil {
		return nil, fmt.Errorf("user %q: %w", c.User, err)
	}
	if int(id.uid) == os.Geteuid() && int(id.gid) == os.Getegid() && id.uid != 0 {
		return nil, nil // it is so already, and to say it again only root may
	}
	return id, nil
}

// userByName reads a name, or a number that need not be in the user database, if the
// group is known otherwise.
func userByName(name string, withGroup bool) (*identity, error) {
	u, err := user.Lookup(name)
	if n, nerr := number(name); err != nil && nerr == nil {
		if u, err = user.LookupId(name); err != nil && withGroup {
			return &identity{uid: n}, nil
		}
	}
	if err != nil {
		return nil, err
	}
	id := &identity{}
	if id.uid, err = number(u.Uid); err != nil {
		return nil, err
	}
	if id.gid, err = number(u.Gid); err != nil {
		return nil, err
	}
	id.groups, err = groupsOf(u)
	return id, err
}

func groupsOf(u *user.User) (groups []uint32, err error) {
	ids, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		n, err := number(id)
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
		return number(g.Gid)
	}
	if n, nerr := number(name); nerr == nil {
		return n, nil
	}
	return 0, err
}

func number(s string) (uint32, error) {
	n, err := strconv.ParseUint(s, 10, 32)
	return uint32(n), err
}
