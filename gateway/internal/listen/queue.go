package listen

// queue is connections in the order they came in. They are linked through their
// spots: a connection goes from queue to queue twice for each request.
type queue struct {
	first, last *conn
	length      int
}

func (q *queue) push(c *conn) {
	c.before, c.after = q.last, nil
	if q.last != nil {
		q.last.after = c
	} else {
		q.first = c
	}
	q.last = c
	q.length++
}

func (q *queue) remove(c *conn) {
	if c.before != nil {
		c.before.after = c.after
	} else {
		q.first = c.after
	}
	if c.after != nil {
		c.after.before = c.before
	} else {
		q.last = c.before
	}
	c.before, c.after = nil, nil
	q.length--
}
