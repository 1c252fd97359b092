// Turns the mapped surfaces of the page by mouse or finger: triangles painted from far to near on a 2D canvas.
(() => {
  const data = JSON.parse(document.getElementById("surfaces").textContent);
  const canvas = document.getElementById("viewer"), pen = canvas.getContext("2d");
  const chooser = document.getElementById("viewer-species"), told = document.getElementById("viewer-potential");
  const bytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0)).buffer;
  const light = [-0.38, 0.49, 0.79];
  let shown, turn, zoom, held = null;

  function choose() {
    const one = data.surfaces[chooser.value];
    shown = {
      ...one,
      points: new Int16Array(bytes(one.points)),
      faces: new Uint16Array(bytes(one.faces)),
      steps: new Uint8Array(bytes(one.steps)),
    };
    turn = [1, 0, 0, 0, 1, 0, 0, 0, 1];
    zoom = 1;
    const tint = end => end < 0.2 ? "red" : end < 0.5 ? "pale red" : end < 0.8 ? "pale blue" : "blue";
    const [from, to] = one.ends.map(tint);
    told.textContent = `from ${one.low.toFixed(2)} eV (${from}) to ${one.high.toFixed(2)} eV (${to})`;
    draw();
  }

  const potential = i => shown.low + (shown.high - shown.low) * shown.steps[i] / 255;

  function colour(level, shade) {
    const [first, last] = shown.ends, place = (first + level / 255 * (last - first)) * (data.colours.length - 1);
    const i = Math.min(Math.floor(place), data.colours.length - 2);
    const mix = data.colours[i].map((c, k) => shade * (c + (place - i) * (data.colours[i + 1][k] - c)));
    return `rgb(${mix.map(Math.round).join()})`;
  }

  function draw() {
    const { points, faces, steps } = shown, count = points.length / 3, size = canvas.width;
    const scale = zoom * size / 2.1 / 32767, seen = shown.seen = new Float32Array(points.length);
    for (let i = 0; i < count; i++) {
      const [x, y, z] = points.subarray(3 * i, 3 * i + 3);
      for (let k = 0; k < 3; k++) seen[3 * i + k] = scale * (turn[3 * k] * x + turn[3 * k + 1] * y + turn[3 * k + 2] * z);
    }
    const front = [];
    for (let f = 0; f < faces.length; f += 3) {
      const [a, b, c] = [3 * faces[f], 3 * faces[f + 1], 3 * faces[f + 2]];
      const u = [0, 1, 2].map(k => seen[b + k] - seen[a + k]), v = [0, 1, 2].map(k => seen[c + k] - seen[a + k]);
      const n = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      // Thinning turned a few triangles over: without culling they leave no holes.
      const side = Math.sign(n[2]) / Math.hypot(...n);
      const bright = side * (n[0] * light[0] + n[1] * light[1] + n[2] * light[2]);
      const level = (steps[a / 3] + steps[b / 3] + steps[c / 3]) / 3;
      front.push([seen[a + 2] + seen[b + 2] + seen[c + 2], a, b, c, colour(level, 0.6 + 0.4 * Math.max(0, bright))]);
    }
    front.sort((one, other) => one[0] - other[0]);
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, size, size);
    pen.setTransform(1, 0, 0, -1, size / 2, size / 2);
    for (const [, a, b, c, fill] of front) {
      pen.beginPath();
      for (const i of [a, b, c]) pen.lineTo(seen[i], seen[i + 1]);
      pen.closePath();
      pen.fillStyle = pen.strokeStyle = fill;
      pen.fill();
      pen.stroke();
    }
  }

  function rotate(dx, dy) {
    const [cx, sx, cy, sy] = [Math.cos(dx), Math.sin(dx), Math.cos(dy), Math.sin(dy)];
    const by = [cx, 0, sx, sy * sx, cy, -sy * cx, -cy * sx, sy, cy * cx];
    turn = by.map((_, i) => [0, 1, 2].reduce((sum, k) => sum + by[i - i % 3 + k] * turn[3 * k + i % 3], 0));
    draw();
  }

  function read(event) {
    const box = canvas.getBoundingClientRect(), size = canvas.width;
    const x = ((event.clientX - box.left) / box.width - 0.5) * size, y = (0.5 - (event.clientY - box.top) / box.height) * size;
    // The nearest vertex on the side that is seen; thinned surfaces have one every 0.4 angstrom.
    let best = -1, least = Infinity;
    for (let i = 0; i < shown.seen.length; i += 3) {
      const away = Math.hypot(shown.seen[i] - x, shown.seen[i + 1] - y), cost = away - shown.seen[i + 2];
      if (away < size / 15 && cost < least) [best, least] = [i / 3, cost];
    }
    if (best >= 0) told.textContent = `${potential(best).toFixed(2)} eV here`;
  }

  canvas.addEventListener("pointerdown", event => { held = event; canvas.setPointerCapture(event.pointerId); });
  canvas.addEventListener("pointerup", () => { held = null; });
  canvas.addEventListener("pointermove", event => {
    if (!held) return read(event);
    rotate((event.clientX - held.clientX) / 100, (event.clientY - held.clientY) / 100);
    held = event;
  });
  canvas.addEventListener("wheel", event => {
    event.preventDefault();
    zoom = Math.min(5, Math.max(0.4, zoom * Math.exp(-event.deltaY / 800)));
    draw();
  }, { passive: false });
  canvas.addEventListener("keydown", event => {
    const step = { ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    if (step) { event.preventDefault(); rotate(...step); }
  });
  // Not every species with a picture has a surface: the picture of a failure is its verdict.
  for (const name of Object.keys(data.surfaces)) chooser.add(new Option(name));
  chooser.addEventListener("change", choose);
  choose();
})();
