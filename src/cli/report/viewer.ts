/**
 * What the page runs: draws the chosen layer's mask on a canvas, whole or near; wheel, buttons and keys zoom, dragging moves. An entry is
 * dark where it is kept. Plain script, for the page stands alone.
 */
export const VIEWER = `
const report = JSON.parse(document.getElementById("report").textContent);
const canvas = document.getElementById("mask");
const select = document.getElementById("layer");
const caption = document.getElementById("caption");
const context = canvas.getContext("2d");
let picture, bytes, scale, left, top;
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name);
const keptAt = (r, c) => {
  const i = r * picture.cols + c;
  return picture.kind === "bits" ? (bytes[i >> 3] >> (i & 7)) & 1 : bytes[i] / 255;
};
const fit = () => Math.min(canvas.width / picture.cols, canvas.height / picture.rows);
const clamp = () => {
  left = Math.max(0, Math.min(left, picture.cols - canvas.width / scale));
  top = Math.max(0, Math.min(top, picture.rows - canvas.height / scale));
};
const rgb = (name) => colour(name).trim().match(/[0-9a-f]{2}/gi).map((hex) => parseInt(hex, 16));
const draw = () => {
  const { width, height } = canvas;
  const image = context.createImageData(width, height);
  const [dark, light, ground] = ["--kept", "--pruned", "--ground"].map(rgb);
  const step = 1 / scale;
  for (let y = 0; y < height; y++) {
    const r0 = Math.floor(top + y * step), r1 = Math.max(r0 + 1, Math.floor(top + (y + 1) * step));
    for (let x = 0; x < width; x++) {
      const c0 = Math.floor(left + x * step), c1 = Math.max(c0 + 1, Math.floor(left + (x + 1) * step));
      const at = 4 * (y * width + x);
      if (r0 >= picture.rows || c0 >= picture.cols) {
        image.data.set([...ground, 255], at);
        continue;
      }
      let sum = 0, count = 0;
      for (let r = r0; r < r1 && r < picture.rows; r++)
        for (let c = c0; c < c1 && c < picture.cols; c++, count++) sum += keptAt(r, c);
      const share = sum / count;
      for (let k = 0; k < 3; k++) image.data[at + k] = share * dark[k] + (1 - share) * light[k];
      image.data[at + 3] = 255;
    }
  }
  context.putImageData(image, 0, 0);
  const last = (from, size, all) => Math.min(all, Math.ceil(from + size / scale));
  const layer = report.layers[select.selectedIndex];
  const cells = picture.kind === "shares" ? " (shares of kept entries in " + picture.rows + "×" + picture.cols + " cells)" : "";
  caption.textContent = layer.rows + " outputs × " + layer.cols + " inputs" + cells + "; shown: rows " + Math.floor(top) + " to " +
    (last(top, canvas.height, picture.rows) - 1) + ", columns " + Math.floor(left) + " to " + (last(left, canvas.width, picture.cols) - 1);
};
const zoom = (factor, x = canvas.width / 2, y = canvas.height / 2) => {
  const next = Math.max(fit(), Math.min(32, scale * factor));
  left += x / scale - x / next;
  top += y / scale - y / next;
  scale = next;
  clamp();
  draw();
};
const show = () => {
  picture = report.layers[select.selectedIndex].mask;
  bytes = Uint8Array.from(atob(picture.base64), (c) => c.charCodeAt(0));
  [left, top] = [0, 0];
  scale = fit();
  draw();
};
select.addEventListener("change", show);
document.getElementById("in").addEventListener("click", () => zoom(2));
document.getElementById("out").addEventListener("click", () => zoom(0.5));
document.getElementById("whole").addEventListener("click", show);
const place = (event) => {
  const box = canvas.getBoundingClientRect();
  return [((event.clientX - box.left) * canvas.width) / box.width, ((event.clientY - box.top) * canvas.height) / box.height];
};
canvas.addEventListener("wheel", (event) => {
  event.preventDefault();
  zoom(event.deltaY < 0 ? 1.25 : 0.8, ...place(event));
}, { passive: false });
canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
canvas.addEventListener("pointermove", (event) => {
  if (!canvas.hasPointerCapture(event.pointerId)) return;
  left -= event.movementX / scale;
  top -= event.movementY / scale;
  clamp();
  draw();
});
canvas.addEventListener("keydown", (event) => {
  const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  const move = moves[event.key];
  if (event.key === "+") zoom(2);
  else if (event.key === "-") zoom(0.5);
  else if (move) {
    left += (move[0] * canvas.width) / scale / 8;
    top += (move[1] * canvas.height) / scale / 8;
    clamp();
    draw();
  } else return;
  event.preventDefault();
});
for (const row of document.querySelectorAll("tr[data-layer]"))
  row.querySelector("button").addEventListener("click", () => {
    select.selectedIndex = Number(row.dataset.layer);
    show();
    document.getElementById("masks").scrollIntoView();
  });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
show();
`;
