// Keeps the day of departure after the day of arrival while people choose. The
// server checks it too; without this module nothing else changes.
const day = 24 * 60 * 60 * 1000

for (const form of document.querySelectorAll('form.wish')) {
  const from = form.elements.from
  const to = form.elements.to
  let nights = length()

  function length() {
    const n = (to.valueAsNumber - from.valueAsNumber) / day
    return n > 0 && n <= 30 ? n : 1
  }

  function bound() {
    if (!Number.isNaN(from.valueAsNumber)) {
      to.min = new Date(from.valueAsNumber + day).toISOString().slice(0, 10)
    }
  }

  from.addEventListener('change', () => {
    bound()
    if (!Number.isNaN(from.valueAsNumber) && !(to.valueAsNumber > from.valueAsNumber)) {
      to.valueAsNumber = from.valueAsNumber + nights * day
    }
  })
  to.addEventListener('change', () => { nights = length() })
  bound()
}
