package spread

import "errors"

// ErrClosed is the error of Sentry.Wait after Close.
var ErrClosed = errors.New("sentry closed")
