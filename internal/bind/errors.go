package bind

import "net"

// OpError returns err as net.Listen returns it: a *net.OpError that names the address as
// it was asked for. An err that is one is returned as it is.
func OpError(r Request, err error) error {
	if _, ok := err.(*net.OpError); ok {
		return err
	}
	return &net.OpError{Op: "listen", Net: r.Network, Addr: requested{r}, Err: err}
}

// requested is an address as it was asked for.
type requested struct{ Request }

func (a requested) Network() string { return a.Request.Network }
func (a requested) String() string  { return a.Address }
