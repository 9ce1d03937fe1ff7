// Tells people who listen to the page how many hotels there are in the end; who
// looks at it sees them come.
const end = document.querySelector('.done')
const live = document.querySelector('.live')

if (end && live) {
  const failed = document.querySelectorAll('p.quiet.partner').length
  live.textContent = end.textContent + (failed ? ' Some partners had nothing to show.' : '')
}
