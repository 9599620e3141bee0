package directory

// IsTrusted reports whether only root and this process's user can change what path, which
// is absolute, leads to, or create files in its directory. The answer doesn't change
// before one of these two changes something.
func IsTrusted(path string) bool { return isTrusted(path) }
