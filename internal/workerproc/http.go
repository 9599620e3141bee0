package workerproc

// SaysClose reports whether the conn itself puts "Connection: close" into an HTTP/1
// answer of a drain. Package rotahttp asks, so that it isn't said twice.
func (c *conn) SaysClose() bool { return !c.dark.Load() }
