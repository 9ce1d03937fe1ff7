package pipeline

// Param is one path parameter of a matched route.
type Param struct{ Name, Value string }

// Params are a route's path parameters in the order of its pattern.
type Params []Param

// Get returns the value of the named parameter and whether the route has it.
func (p Params) Get(name string) (string, bool) {
	for _, param := range p {
		if param.Name == name {
			return param.Value, true
		}
	}
	return "", false
}
