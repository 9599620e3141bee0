package bind

// User is a user whose rights decide what may be done with a file. A nil User is that of
// this process.
type User struct {
	UID    uint32   `json:"uid"`
	GID    uint32   `json:"gid"`
	Groups []uint32 `json:"groups,omitempty"` // supplementary
}

// NewUser returns nil unless ok is set.
func NewUser(uid, gid uint32, groups []uint32, ok bool) *User {
	if !ok {
		return nil
	}
	return &User{uid, gid, groups}
}
